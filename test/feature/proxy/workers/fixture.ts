// A proxy with two workers in this process, and what tests of them look at.

import type { TestContext } from 'node:test';
import { systemClock } from '@weft/lib/clock';
import { openClient, type RawClient } from '../../../kit/client.ts';
import { until } from '../../../kit/until.ts';
import { startTestProxy, type TestBootstrap, type TestProxy } from '../fixture.ts';

export const workerCount = 2;

/** Connections enough that the kernel gives each worker some: all on one side has a chance of one in a billion. */
export const enoughConnections = 32;

export function startTwoWorkers(context: TestContext, build: (logPath: string) => TestBootstrap): Promise<TestProxy> {
  return startTestProxy(context, build, systemClock, workerCount);
}

/** Metrics by name, as `/stats` shows them. */
export async function stats(proxy: TestProxy): Promise<ReadonlyMap<string, number>> {
  const { body } = await proxy.admin('GET', '/stats');
  const pairs = body.split('\n').map((line) => line.split(': '));
  return new Map(pairs.map(([name = '', value]) => [name, Number(value)]));
}

/** Connections that the workers accepted, in their order. */
export async function spread(proxy: TestProxy): Promise<number[]> {
  const all = await stats(proxy);
  return Array.from(
    { length: workerCount },
    (_, i) => all.get(`listener.127.0.0.1_0.worker_${i}.downstream_cx_total`) ?? 0,
  );
}

/** So many connections, spread as the kernel likes. */
export function openClients(context: TestContext, port: number, count = enoughConnections): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => openClient(context, port)));
}

/** Ends the thread of a worker, as a defect of its own would. */
export async function killWorker(proxy: TestProxy, index: number): Promise<void> {
  await proxy.running.workers?.slots[index]?.thread?.terminate();
}

/** Resolves when every worker serves. */
export async function everyWorkerServes(proxy: TestProxy): Promise<void> {
  await until('every worker serves', () => proxy.running.unready().length === 0, 20_000);
}
