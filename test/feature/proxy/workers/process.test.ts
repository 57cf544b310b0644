// `weft proxy --concurrency 2` as a process: flags, ports that are taken, signals, lines.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fetchOnce, openClient } from '../../../kit/client.ts';
import { temporaryFolder } from '../../../kit/folder.ts';
import { freePorts } from '../../../kit/ports.ts';
import { until, waitFor } from '../../../kit/until.ts';
import { after, echo, startUpstream } from '../../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo } from '../fixture.ts';
import { startProxyProcess } from '../process.ts';

const entry = fileURLToPath(new URL('../../../../proxy/src/main.ts', import.meta.url));
const skip = process.platform === 'linux' ? false : 'workers share ports on Linux only';
const twoWorkers = ['--concurrency', '2'];

function run(...flags: string[]) {
  return spawnSync(process.execPath, [entry, ...flags], { encoding: 'utf8', timeout: 20_000 });
}

/** A bootstrap file with one listener at that port. */
function bootstrapAt(context: Parameters<typeof temporaryFolder>[0], port: number): string {
  const path = join(temporaryFolder(context), 'bootstrap.json');
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  const listeners = [{ ...listener('main', httpManager([])), address }];
  writeFileSync(path, JSON.stringify({ static_resources: { listeners } }));
  return path;
}

describe('the flag --concurrency', () => {
  for (const value of ['0', '-1', '1.5', 'many', '257']) {
    it(`does not take ${value}`, () => {
      const { status, stderr } = run('-c', 'x.json', `--concurrency=${value}`);
      assert.equal(status, 2);
      assert.match(stderr, /--concurrency takes a number of workers from 1 to 256/);
    });
  }
});

describe('a process with two workers', { skip }, () => {
  it('says once that a port is taken, and ends, whether or not the other shares it', async (context) => {
    for (const reusePort of [false, true]) {
      const other = createServer().listen({ host: '127.0.0.1', port: 0, reusePort });
      await once(other, 'listening');
      const { status, stderr } = run('-c', bootstrapAt(context, (other.address() as AddressInfo).port), ...twoWorkers);
      other.close();
      assert.equal(status, 1, stderr);
      const lines = stderr.split('\n').filter((line) => line.startsWith('weft proxy:'));
      assert.equal(lines.length, 1, stderr);
      assert.match(lines[0] ?? '', /listener 'main' cannot listen on .*EADDRINUSE.*another program listens there/);
    }
  });

  it('ends when asked over its admin port before the workers are there', async (context) => {
    const [port = 0] = await freePorts(1);
    const path = join(temporaryFolder(context), 'bootstrap.json');
    const address = { socket_address: { address: '127.0.0.1', port_value: port } };
    writeFileSync(path, JSON.stringify({ admin: { address } }));
    const child = spawn(process.execPath, [entry, '-c', path, ...twoWorkers], { stdio: 'ignore' });
    context.after(() => child.kill('SIGKILL'));
    const ended = waitFor(child, 'exit', 20_000);
    const ask = () => fetch(`http://127.0.0.1:${port}/quitquitquit`, { method: 'POST' });
    await until('the admin server answers', async () => (await ask().catch(() => null))?.ok === true, 20_000);
    assert.deepEqual(await ended, [0, null]);
  });

  it('lets requests in flight finish after SIGTERM, in every worker', async (context) => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const upstream = await startUpstream(context, [after(gate, echo())]);
    const resources = {
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    };
    const proxy = await startProxyProcess(context, resources, { flags: twoWorkers });
    const port = await proxy.port('main');
    const clients = await Promise.all(Array.from({ length: 32 }, () => openClient(context, port)));
    for (const [i, client] of clients.entries()) client.request('GET', `/${i}`);
    await upstream.request(32);
    proxy.child.kill('SIGTERM');
    const isDraining = (i: number) =>
      proxy.log.some((line) => line.includes('"stopping"') && line.includes(`"worker":${i}`));
    await until('both workers say that they stop', () => isDraining(0) && isDraining(1));
    open();
    for (const [i, client] of clients.entries()) assert.equal((await client.response()).text, `GET /${i}`);
    assert.equal(await proxy.ended(), 0);
  });

  it('opens its log files anew after SIGUSR1', async (context) => {
    const path = join(temporaryFolder(context), 'access.log');
    const parts = { logPath: path, logFormat: '%REQ(:PATH)%' };
    const resources = { listeners: [listener('main', httpManager([], parts))], clusters: [] };
    const proxy = await startProxyProcess(context, resources, { flags: twoWorkers });
    const port = await proxy.port('main');
    await fetchOnce(context, port, '/before');
    await until('the first line is there', () => readFileSync(path, 'utf8') === '/before\n');
    renameSync(path, `${path}.1`);
    proxy.child.kill('SIGUSR1');
    await until('the rest goes to a new file', async () => {
      await fetchOnce(context, port, '/after');
      try {
        return readFileSync(path, 'utf8').startsWith('/after\n');
      } catch {
        return false;
      }
    });
  });

  it('logs as it is told to', async (context) => {
    const proxy = await startProxyProcess(context, { listeners: [], clusters: [] }, { flags: twoWorkers });
    const { request } = await import('node:http');
    const page = {
      host: '127.0.0.1',
      port: proxy.adminPort,
      method: 'POST',
      path: '/logging?level=error',
      agent: false,
    };
    const [response] = await once(request(page).end(), 'response');
    response.resume();
    proxy.child.kill('SIGTERM');
    assert.equal(await proxy.ended(), 0);
    assert.deepEqual(
      proxy.log.filter((line) => line.includes('"stop')),
      [],
    );
  });
});
