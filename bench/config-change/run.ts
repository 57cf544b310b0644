// Route changes under load: how many requests fail while the routes change a thousand times, and how long a change takes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { envoy } from '@weft/api/xds/types';
import { freePorts } from '../../test/kit/ports.ts';
import { buildBackend } from '../peers/backend.ts';
import { Child } from '../peers/child.ts';
import { findProgram } from '../peers/program.ts';
import { median } from '../peers/report.ts';
import { RouteServer } from './ads.ts';
import { bootstrapOf } from './bootstrap.ts';
import { Load, type LoadCount, revisionHeader } from './client.ts';

const usage = `usage: npm run bench -- config-change [options]

  --changes N      route changes (default 1000)
  --only LIST      weft, envoy (default weft)
  --connections N  of the load (default 16)
  --json FILE      also write the result there

Ends with 1 when a request failed, was answered by a route older than the one acknowledged, or a change was refused.
`;

interface Result extends LoadCount {
  readonly peer: string;
  readonly changes: number;
  /** From push to acknowledgement. */
  readonly ackMsP50: number;
  readonly ackMsMax: number;
}

// Each revision routes to the other cluster, over a table of some size, and says which revision it is.
function routesOf(revision: number): envoy.config.route.v3.RouteConfiguration {
  const others = Array.from({ length: 50 }, (_, i) => ({
    match: { prefix: `/other/${i}/` },
    route: { cluster: 'blue' },
  }));
  const main = { match: { prefix: '/api/' }, route: { cluster: revision % 2 === 0 ? 'blue' : 'green' } };
  return {
    name: 'bench',
    virtualHosts: [{ name: 'all', domains: ['*'], routes: [...others, main] }],
    responseHeadersToAdd: [{ header: { key: revisionHeader, value: String(revision) } }],
  };
}

function commandOf(peer: string, file: string): string[] {
  const weft = process.env.WEFT_BIN ?? fileURLToPath(new URL('../../weft', import.meta.url));
  if (peer === 'weft') return [weft, 'proxy', '-c', file, '--log-level', 'error'];
  return [
    findProgram('envoy') ?? 'envoy',
    '-c',
    file,
    '--concurrency',
    '1',
    '--use-dynamic-base-id',
    '--log-level',
    'error',
  ];
}

async function measure(peer: string, changes: number, connections: number, folder: string): Promise<Result> {
  const [listenPort = 0, backendPort = 0] = await freePorts(2);
  const routes = new RouteServer(routesOf(0));
  const adsPort = await routes.listen();
  const file = join(folder, `${peer}.json`);
  writeFileSync(file, bootstrapOf(listenPort, adsPort, backendPort));
  const backend = new Child(0, [buildBackend(folder), String(backendPort)], join(folder, 'backend.log'), {});
  const proxy = new Child(0, commandOf(peer, file), join(folder, `${peer}.log`), {});
  try {
    await backend.listening(backendPort, 5000);
    await proxy.listening(listenPort, 20_000);
    return { peer, changes, ...(await change(routes, listenPort, changes, connections)) };
  } catch (cause) {
    throw new Error(`${peer}: ${cause instanceof Error ? cause.message : cause}; its log ends: ${proxy.lastWords()}`, {
      cause,
    });
  } finally {
    await Promise.all([proxy.stop(), backend.stop()]);
    routes.close();
  }
}

async function change(
  routes: RouteServer,
  port: number,
  changes: number,
  connections: number,
): Promise<LoadCount & { ackMsP50: number; ackMsMax: number }> {
  const load = new Load(port, connections);
  const times: number[] = [];
  await delay(200);
  try {
    for (let revision = 1; revision <= changes; revision++) {
      const started = performance.now();
      await withDeadline(routes.push(routesOf(revision)), revision);
      times.push(performance.now() - started);
      // An acknowledgement means that it was accepted; Envoy's worker takes it over a moment later.
      await delay(2);
      load.acknowledged = revision;
    }
  } catch (error) {
    await load.stop();
    throw error;
  }
  return { ...(await load.stop()), ackMsP50: median(times), ackMsMax: Math.max(...times) };
}

async function withDeadline(pushed: Promise<void>, revision: number): Promise<void> {
  const timer = new AbortController();
  const late = delay(10_000, undefined, { signal: timer.signal }).then(
    () => Promise.reject(new Error(`revision ${revision} was not acknowledged within 10 s`)),
    () => {},
  );
  await Promise.race([pushed, late]).finally(() => timer.abort());
}

function tell(result: Result): void {
  const { peer, changes, requests, failed, stale, ackMsP50, ackMsMax, firstFailure } = result;
  console.log(
    `${peer}: ${changes} changes under ${requests} requests: ${failed} failed, ${stale} by an old route; ` +
      `acknowledged after ${ackMsP50.toFixed(1)} ms (median), ${ackMsMax.toFixed(1)} ms (longest)` +
      (firstFailure === '' ? '' : `; first failure: ${firstFailure}`),
  );
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      changes: { type: 'string', default: '1000' },
      only: { type: 'string', default: 'weft' },
      connections: { type: 'string', default: '16' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'weft-config-change-'));
  const results: Result[] = [];
  try {
    for (const peer of values.only.split(',')) {
      if (peer !== 'weft' && peer !== 'envoy') throw new Error(`--only takes weft, envoy, not '${peer}'`);
      if (peer === 'envoy' && findProgram('envoy') === null) {
        console.log('skipped envoy: no `envoy` on PATH and no ENVOY_BIN');
        continue;
      }
      const result = await measure(peer, Number(values.changes), Number(values.connections), folder);
      tell(result);
      results.push(result);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 2));
  if (results.some(({ failed, stale }) => failed + stale > 0)) process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
