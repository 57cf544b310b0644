// A worker whose event loop hangs: it is counted and said, the others go on, and it is replaced where the bootstrap says so.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { FakeAdsServer } from '@weft/proxy/xds/testing/fake-ads-server';
import { openClient, type RawClient } from '../../../kit/client.ts';
import { temporaryFolder } from '../../../kit/folder.ts';
import { until } from '../../../kit/until.ts';
import { after, echo, startUpstream } from '../../../kit/upstream.ts';
import { adsBootstrap, listenerMessage } from '../dynamic.ts';
import { cluster, httpManager, listener, routeTo } from '../fixture.ts';
import { type ProxyProcess, startProxyProcess } from '../process.ts';
import { enoughConnections, openClients } from './fixture.ts';

const skip = process.platform === 'linux' ? false : 'workers share ports on Linux only';

/** Time is linear in the text, but each character costs thousands of steps. */
const dear = `(?:${['c', 'd', 'e', 'f', 'g', 'h'].map((end) => `([ab]*a[ab]{900}${end})`).join('|')})`;

/** So many routes that look at a header at length, before all others. */
function dearRoutes(count: number): Parameters<typeof httpManager>[0][number][] {
  const match = { prefix: '/', headers: [{ name: 'x', string_match: { safe_regex: { regex: dear } } }] };
  return Array.from({ length: count }, () => ({ match, direct_response: { status: 500 } }));
}

/** Text in which no state comes twice. */
function worst(length: number): string {
  let seed = 7;
  return Array.from({ length }, () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed > 2 ** 30 ? 'a' : 'b';
  }).join('');
}

/** More than a minute of one thread, and some seconds. */
const endless = worst(50_000);
const brief = worst(1000);

interface Times {
  readonly [name: string]: string;
}

interface Scene {
  readonly proxy: ProxyProcess;
  readonly port: number;
  readonly clients: readonly RawClient[];
}

/** These tests take all of a core, and others may run beside them. */
function patiently(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  return until(what, condition, 30_000);
}

async function start(context: TestContext, watchdog: Times, ...flags: string[]): Promise<Scene> {
  const answer = { match: { prefix: '/' }, direct_response: { status: 204 } };
  const resources = { listeners: [listener('main', httpManager([...dearRoutes(30), answer]))] };
  const proxy = await startProxyProcess(context, resources, {
    flags: ['--concurrency', '2', ...flags],
    more: { watchdogs: { worker_watchdog: watchdog } },
  });
  const port = await proxy.port('main');
  return { proxy, port, clients: await openClients(context, port) };
}

function lineOf(proxy: ProxyProcess, words: string): Record<string, unknown> | null {
  const line = proxy.log.find((one) => one.includes(words));
  return line === undefined ? null : (JSON.parse(line) as Record<string, unknown>);
}

async function stat(proxy: ProxyProcess, name: string): Promise<number> {
  const line = (await proxy.admin('/stats')).split('\n').find((one) => one.startsWith(`${name}: `));
  return Number(line?.split(': ')[1] ?? 0);
}

/** A pipe as somebody who reads it sees its other end, or null when nobody reads. */
function writeEnd(pipe: string): number | null {
  try {
    return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}

/** Connections by worker. */
function accepted(proxy: ProxyProcess): Promise<number[]> {
  return Promise.all([0, 1].map((i) => stat(proxy, `listener.127.0.0.1_0.worker_${i}.downstream_cx_total`)));
}

describe('a worker that hangs', { skip }, () => {
  it('is counted and told once, and again when it goes on; the others serve meanwhile', async (context) => {
    const { proxy, clients } = await start(context, { megamiss_timeout: '0.4s' });
    clients[0]?.request('GET', '/', { x: brief });
    await patiently('the proxy says so', () => lineOf(proxy, 'a worker hangs') !== null);
    // Those on the worker that hangs may wait in vain.
    const answers = clients.slice(1).map((client) => client.fetch('GET', '/').then(({ status }) => status));
    assert.equal(await Promise.any(answers), 204);
    assert.equal(lineOf(proxy, 'goes on"'), null);
    await patiently('the proxy says that it goes on', () => lineOf(proxy, 'goes on"') !== null);
    await Promise.allSettled(answers);
    assert.equal((await clients[0]?.response())?.status, 204);
    const { worker, durationMs } = lineOf(proxy, 'hung goes on') ?? {};
    assert.equal(worker, lineOf(proxy, 'a worker hangs')?.worker);
    assert.ok(Number(durationMs) >= 400, String(durationMs));
    assert.equal(proxy.log.filter((line) => line.includes('a worker hangs')).length, 1);
    assert.equal(await stat(proxy, `server.worker_${worker}.watchdog_mega_miss`), 1);
    assert.equal(await stat(proxy, 'workers.watchdog_mega_miss'), 1);
    assert.ok((await stat(proxy, 'workers.watchdog_miss')) >= 1);
    assert.equal(await stat(proxy, 'workers.died'), 0);
  });

  it('is replaced after kill_timeout', async (context) => {
    const { proxy, port, clients } = await start(context, { kill_timeout: '0.5s' });
    clients[0]?.request('GET', '/', { x: endless });
    await clients[0]?.closed();
    await patiently('the proxy says so', () => lineOf(proxy, 'a worker died') !== null);
    assert.match(String(lineOf(proxy, 'a worker died')?.error), /no sign of life for \d+ ms \(worker_watchdog\)/);
    const before = await accepted(proxy);
    await patiently('both accept connections', async () => {
      for (const client of await openClients(context, port)) assert.equal((await client.fetch('GET', '/')).status, 204);
      return (await accepted(proxy)).every((count, i) => count > (before[i] ?? 0));
    });
    assert.equal(await stat(proxy, 'workers.died'), 1);
  });

  it('is no worker of a process that was stopped as a whole', async (context) => {
    const { proxy, port } = await start(context, { kill_timeout: '1s' });
    proxy.child.kill('SIGSTOP');
    const resumeMs = performance.now() + 2500;
    await patiently('some time has passed', () => performance.now() > resumeMs);
    proxy.child.kill('SIGCONT');
    assert.equal((await (await openClient(context, port)).fetch('GET', '/')).status, 204);
    await patiently('the watchdog has looked', async () => (await stat(proxy, 'server.uptime')) >= 3);
    assert.equal(await stat(proxy, 'workers.watchdog_mega_miss'), 0);
    assert.equal(await stat(proxy, 'workers.died'), 0);
  });

  it('does not keep the process after SIGTERM; another worker finishes what it does', async (context) => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const upstream = await startUpstream(context, [after(gate, echo())]);
    const resources = {
      listeners: [listener('main', httpManager([...dearRoutes(30), routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    };
    const flags = ['--concurrency', '2', '--drain-time-s', '3'];
    const proxy = await startProxyProcess(context, resources, { flags });
    const clients = await openClients(context, await proxy.port('main'));
    clients[0]?.request('GET', '/', { x: endless });
    await patiently('it hangs', () => lineOf(proxy, 'a worker hangs') !== null);
    const answers = clients.slice(1).map((client, i) => client.fetch('GET', `/${i}`).then(({ text }) => text, String));
    await upstream.request(1);
    proxy.child.kill('SIGTERM');
    await patiently(
      'the other drains',
      () => lineOf(proxy, `"worker":${1 - Number(lineOf(proxy, 'a worker hangs')?.worker)}`) !== null,
    );
    open();
    assert.equal(await proxy.ended(), 0);
    const finished = (await Promise.all(answers)).filter((text) => text.startsWith('GET /'));
    assert.ok(finished.length > 0 && finished.length < enoughConnections, `${finished.length}`);
    assert.ok(lineOf(proxy, 'a worker that hangs is ended without draining') !== null);
  });

  it('does not keep the process after SIGTERM even where it is stuck in the operating system', async (context) => {
    const pipe = join(temporaryFolder(context), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const server = await FakeAdsServer.start();
    context.after(() => server.close());
    const { clusters, more } = adsBootstrap(server.port);
    const flags = ['--concurrency', '2', '--drain-time-s', '0'];
    const node = { id: 'sidecar~127.0.0.1~test.default~default.svc.cluster.local', cluster: 'test' };
    const proxy = await startProxyProcess(context, { clusters }, { flags, more: { node, ...more } });
    const stream = await server.accept();
    const answer = { match: { prefix: '/' }, direct_response: { status: 200, body: { filename: pipe } } };
    stream.respond('listener', '1', [listenerMessage(listener('main', httpManager([answer])))]);
    // Every thread reads the pipe for itself, and waits until somebody has written.
    let end: number | null = null;
    await patiently('the main thread reads', () => (end = writeEnd(pipe)) !== null);
    closeSync(end ?? -1);
    // When it answers it has read to the end: a writer that came before that would be one more for it to wait for.
    await proxy.admin('/server_info');
    await patiently('a worker reads', () => (end = writeEnd(pipe)) !== null);
    context.after(() => closeSync(end ?? -1));
    proxy.child.kill('SIGTERM');
    assert.equal(await proxy.ended(), null);
    assert.equal(proxy.child.signalCode, 'SIGKILL');
    assert.ok(proxy.log.some((line) => line.includes('a worker is stuck in the operating system')));
  });
});

it('a proxy with one worker says that nothing would end it', async (context) => {
  const resources = { listeners: [listener('main', httpManager([]))] };
  const more = { watchdogs: { worker_watchdog: { kill_timeout: '1s' } } };
  const proxy = await startProxyProcess(context, resources, { more });
  assert.match(String(lineOf(proxy, 'worker_watchdog')?.message), /start with --concurrency 2 or more/);
});
