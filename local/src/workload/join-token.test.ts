import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PausedClock } from '@weft/lib/clock';
import { temporaryFolder } from '../../../test/kit/folder.ts';
import { until } from '../../../test/kit/until.ts';
import { MeshApiClient } from '../mesh-api/client.ts';
import { FakeMeshApi } from '../mesh-api/fake-mesh-api.ts';
import { PortPicker } from '../port/free-port.ts';
import { JoinToken } from './join-token.ts';
import { ProxyProcess } from './proxy-process.ts';
import { makeWorkload } from './workload.ts';

const hourMs = 3600_000;
const pollMs = 20_000;
const identity = 'spiffe://cluster.local/ns/default/sa/web';

async function setUpApi(context: TestContext) {
  const api = new FakeMeshApi();
  const client = new MeshApiClient(await api.listen(), () => api.token);
  context.after(async () => {
    client.close();
    await api.close();
  });
  return { api, client };
}

/** `/certs` of a proxy whose own certificate is valid between these instants, or that has none. */
function certsOf(dates: { fromMs: number; toMs: number } | null): string {
  const show = (path: string, fromMs: number, toMs: number) => ({
    path,
    valid_from: new Date(fromMs).toISOString(),
    expiration_time: new Date(toMs).toISOString(),
  });
  const own = dates === null ? [] : [{ ca_cert: [], cert_chain: [show('default', dates.fromMs, dates.toMs)] }];
  const others = [
    { ca_cert: [show('ROOTCA', 0, 2 ** 42)], cert_chain: [] },
    { ca_cert: [], cert_chain: [show('/etc/site.pem', 0, 2 ** 42)] },
  ];
  return JSON.stringify({ certificates: [...others, ...own] });
}

async function setUp(context: TestContext) {
  const { api, client } = await setUpApi(context);
  const page = { status: 200, body: certsOf(null) };
  const admin = createServer((_request, response) => response.writeHead(page.status).end(page.body));
  admin.listen(0, '127.0.0.1');
  await once(admin, 'listening');
  context.after(() => admin.close());
  const clock = new PausedClock();
  const notes: string[] = [];
  const path = join(temporaryFolder(context), 'join-token');
  const adminPort = (admin.address() as AddressInfo).port;
  const onNote = (text: string) => notes.push(text);
  const token = new JoinToken({ path, identity, adminPort, client, clock, onNote });
  context.after(() => token.stop());
  return { api, clock, notes, path, page, admin, token };
}

test('a proxy without a certificate, or with one that is out of date, gets a new token', async (context) => {
  const { clock, path, page, token } = await setUp(context);
  const nowMs = clock.wallMs();
  await token.write();
  assert.equal(readFileSync(path, 'utf8'), 'join-1');
  token.watch();
  for (const [i, dates] of [
    null,
    { fromMs: nowMs - hourMs, toMs: nowMs },
    { fromMs: nowMs + 1, toMs: nowMs + hourMs },
  ].entries()) {
    page.body = certsOf(dates);
    await token.check();
    assert.equal(readFileSync(path, 'utf8'), `join-${i + 2}`);
  }
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(path, '..')), ['join-token']);
});

test('one that is well, or tells nothing, keeps what it has', async (context) => {
  const { clock, path, page, admin, token, notes } = await setUp(context);
  token.watch();
  page.body = certsOf({ fromMs: clock.wallMs(), toMs: clock.wallMs() + hourMs });
  await token.check();
  for (const body of ['LIVE\n', '{}', 'null', '{"certificates":[{}]}']) {
    page.body = body;
    await token.check();
  }
  Object.assign(page, { status: 403, body: certsOf(null) });
  await token.check();
  admin.close();
  admin.closeAllConnections();
  await token.check();
  assert.equal(existsSync(path), false);
  assert.deepEqual(notes, []);
});

test('a control plane that is away is asked again at the next look, and what lasts is said once', async (context) => {
  const { api, path, page, clock, token, notes } = await setUp(context);
  const reply = api.replies.get('POST /weft/v1/join-tokens');
  assert.ok(reply);
  api.replies.set('POST /weft/v1/join-tokens', () => ({ status: 503, body: { message: 'not now' } }));
  token.watch();
  clock.advance(pollMs);
  await until('it has asked in vain', () => notes.length === 1);
  await token.check();
  assert.deepEqual([api.requests.length, existsSync(path)], [2, false]);
  api.replies.set('POST /weft/v1/join-tokens', reply);
  clock.advance(pollMs);
  await until('there is a token', () => notes.length === 2 && existsSync(path));
  await token.check();
  assert.deepEqual(notes, [
    'the proxy has no valid certificate, and there is no new join token yet: not now',
    'the proxy has no valid certificate; it was given a new join token',
  ]);
  page.body = certsOf({ fromMs: clock.wallMs(), toMs: clock.wallMs() + hourMs });
  await token.check();
  page.body = certsOf(null);
  await token.check();
  assert.equal(notes.length, 3, 'the next time is news again');
});

test('nothing is asked for a proxy that is gone', async (context) => {
  const { api, clock, path, token } = await setUp(context);
  token.watch();
  clock.advance(pollMs - 1000);
  token.stop();
  clock.advance(pollMs);
  await token.check();
  assert.deepEqual(api.requests, []);
  assert.equal(existsSync(path), false);
});

async function runProxy(context: TestContext) {
  const { client } = await setUpApi(context);
  const folder = temporaryFolder(context);
  const clock = new PausedClock();
  const settings = {
    client,
    controlPlane: { xdsPort: 1, trustDomain: 'cluster.local', rootFile: join(folder, 'root.pem') },
    proxyEntry: fileURLToPath(new URL('../mesh/testdata/fake-proxy.mjs', import.meta.url)),
    workloadsFolder: join(folder, 'workloads'),
    logsFolder: join(folder, 'logs'),
    clock,
  };
  mkdirSync(settings.logsFolder);
  const definition = { apiVersion: 'weft.dev/v1alpha1', kind: 'Process', metadata: { name: 'web' } } as const;
  const workload = await makeWorkload({ ...definition, spec: { command: ['node'] } }, 0, new PortPicker());
  let isReady = false;
  const notes: string[] = [];
  const proxy = new ProxyProcess(workload, { tcp: [], gateway: null }, settings, {
    onReady: (ready) => {
      isReady = ready;
    },
    onDown: (reason) => notes.push(reason),
    onNote: (text) => notes.push(text),
  });
  context.after(() => proxy.stop(1000));
  proxy.start();
  await until('it is ready', () => isReady, 15_000);
  const own = join(settings.workloadsFolder, 'default.web');
  return { own, clock, notes, rootFile: settings.controlPlane.rootFile };
}

test('a running proxy whose certificate has ended finds a new token in its file', async (context) => {
  const { own, clock, notes } = await runProxy(context);
  const file = join(own, 'join-token');
  assert.equal(readFileSync(file, 'utf8'), 'join-1');
  writeFileSync(join(own, 'certs.json'), certsOf({ fromMs: 0, toMs: clock.wallMs() }));
  clock.advance(pollMs);
  await until('there is another', () => readFileSync(file, 'utf8') === 'join-2');
  assert.deepEqual(notes, ['the proxy has no valid certificate; it was given a new join token']);
});

test('a running proxy is started again with a new token when the mesh has got another root', async (context) => {
  const { own, clock, notes, rootFile } = await runProxy(context);
  const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
  writeFileSync(join(own, 'certs.json'), certsOf({ fromMs: 0, toMs: clock.wallMs() + hourMs }));
  for (const root of ['old', 'new']) {
    writeFileSync(rootFile, pem(root));
    clock.advance(pollMs);
  }
  await until('it has used another', () => readFileSync(join(own, 'used-token'), 'utf8') === 'join-2', 15_000);
  assert.deepEqual(notes, [
    'the mesh has another root; the proxy is started again to get a certificate of it',
    'exited with status 0',
  ]);
});
