import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../../test/kit/folder.ts';
import { until } from '../../../test/kit/until.ts';
import { FakeMeshApi } from '../mesh-api/fake-mesh-api.ts';
import { makeStateFolders, type StatePaths, statePaths } from '../state/folder.ts';
import { acquireLock } from '../state/lock.ts';
import { writeRunFile } from '../state/run-file.ts';
import { runJoined, workloadNameFor } from './join.ts';

const options = {
  service: 'web',
  version: 'v1',
  namespace: 'default',
  port: 80,
  targetPort: null,
  protocol: null,
  serviceAccount: 'default',
};

/** State as weft up leaves it for others to join. */
async function makeMesh(context: TestContext): Promise<StatePaths> {
  const api = new FakeMeshApi();
  const url = await api.listen();
  context.after(() => api.close());
  const paths = statePaths(temporaryFolder(context));
  makeStateFolders(paths);
  acquireLock(paths.lock);
  writeFileSync(paths.token, api.token);
  const rootFile = join(paths.root, 'root-cert.pem');
  writeFileSync(paths.address, JSON.stringify({ xdsPort: 1, trustDomain: 'cluster.local', rootFile }));
  writeRunFile(paths.runFile, { ingress: url, api: url, tokenFile: paths.token, pid: process.pid, workloads: [] });
  return paths;
}

const fakeProxy = fileURLToPath(new URL('../mesh/testdata/fake-proxy.mjs', import.meta.url));
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

test('told to end before its sidecar is ready, it leaves no timer that keeps it', async (context) => {
  const paths = await makeMesh(context);
  const proxyEntry = join(paths.root, 'never-ready.mjs');
  writeFileSync(proxyEntry, 'setInterval(() => {}, 1000);');
  const before = timers();
  const joined = runJoined({ ...options, command: ['true'], proxyEntry }, paths, () => {});
  const hasBootstrap = (name: string): boolean => existsSync(join(paths.workloads, name, 'bootstrap.json'));
  await until('the sidecar starts', () => readdirSync(paths.workloads).some(hasBootstrap));
  process.emit('SIGINT');
  assert.equal(await joined, 0);
  await until('no timer is left', () => timers() <= before, 1000);
});

test('makes a name out of any version that a label may hold', () => {
  assert.equal(workloadNameFor({ service: 'web', version: 'v4' }, 7), 'web-v4-7');
  assert.equal(workloadNameFor({ service: 'web', version: 'V1.2_beta' }, 7), 'web-v1-2-beta-7');
});

test('says how the Service that it made is removed, outside the namespace default too', async (context) => {
  const paths = await makeMesh(context);
  const notes: string[] = [];
  const shop = { ...options, namespace: 'shop', command: ['true'], proxyEntry: fakeProxy };
  assert.equal(await runJoined(shop, paths, (text) => notes.push(text)), 0);
  assert.deepEqual(notes, ['weft: made service web with port 80; weft delete service web -n shop removes it']);
});

test('leaves no log of its sidecar behind, unless the sidecar never came up', async (context) => {
  const paths = await makeMesh(context);
  const logs = (): string[] => (existsSync(paths.logs) ? readdirSync(paths.logs, { recursive: true }) : []).map(String);
  const isLog = (name: string): boolean => name.endsWith('.log');
  assert.equal(await runJoined({ ...options, command: ['true'], proxyEntry: fakeProxy }, paths, () => {}), 0);
  assert.deepEqual(logs().filter(isLog), []);
  const proxyEntry = join(paths.root, 'never-ready.mjs');
  writeFileSync(proxyEntry, 'console.log("why"); setInterval(() => {}, 1000);');
  const joined = runJoined({ ...options, command: ['true'], proxyEntry }, paths, () => {});
  const text = (): string =>
    logs()
      .filter(isLog)
      .map((name) => readFileSync(join(paths.logs, name), 'utf8'))
      .join();
  await until('the sidecar says why', () => text() !== '');
  process.emit('SIGINT');
  await joined;
  assert.equal(text(), 'why\n');
});

test('says which folder it cannot write to, as on a full disk', async (context) => {
  const paths = await makeMesh(context);
  rmSync(paths.joined, { recursive: true });
  writeFileSync(paths.joined, 'no folder');
  await assert.rejects(
    runJoined({ ...options, command: ['true'], proxyEntry: fakeProxy }, paths, () => {}),
    { code: 'WEFT0805', message: new RegExp(`the state folder ${paths.root} cannot be written`) },
  );
});
