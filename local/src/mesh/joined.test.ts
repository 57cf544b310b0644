import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { temporaryFolder } from '../../../test/kit/folder.ts';
import { until } from '../../../test/kit/until.ts';
import { MeshApiClient } from '../mesh-api/client.ts';
import { FakeMeshApi } from '../mesh-api/fake-mesh-api.ts';
import { makeStateFolders, statePaths } from '../state/folder.ts';
import { writePrivate } from '../state/private-file.ts';
import type { RunningWorkload } from '../state/run-file.ts';
import { announceJoined, JoinedWatch } from './joined.ts';

it('goes on when the folder is removed under it, says so once, and finds who joins afterwards', (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const folder = join(mkdtempSync(join(tmpdir(), 'weft-joined-')), 'joined');
  context.after(() => rmSync(join(folder, '..'), { recursive: true, force: true }));
  const lists: (readonly RunningWorkload[])[] = [];
  let lost = 0;
  const workload = { name: 'a-v1', namespace: 'default', admin: 'http://127.0.0.1:1', log: '/a.log' };
  announceJoined(folder, workload);
  const client = new MeshApiClient('http://127.0.0.1:1', () => 'token');
  const watch = new JoinedWatch(
    { joined: folder, workloads: folder },
    client,
    (workloads) => lists.push(workloads),
    () => lost++,
  );
  context.after(() => watch.stop());
  watch.start();
  rmSync(folder, { recursive: true });
  context.mock.timers.tick(3000);
  assert.deepEqual(lists, [[workload], []]);
  assert.equal(lost, 1);
  announceJoined(folder, workload);
  context.mock.timers.tick(1000);
  assert.deepEqual(lists.at(-1), [workload]);
});

it('takes the files of a `weft run` that was killed off the disk', async (context) => {
  const api = new FakeMeshApi();
  const client = new MeshApiClient(await api.listen(), () => api.token);
  context.after(() => api.close());
  const paths = statePaths(temporaryFolder(context));
  makeStateFolders(paths);
  const log = join(paths.joinedLogs, 'a.log');
  const folder = join(paths.workloads, 'default.a-v1');
  for (const path of [paths.joinedLogs, folder]) mkdirSync(path);
  for (const path of [log, `${log}.1`]) writeFileSync(path, 'words');
  const joined = join(paths.joined, 'default.a-v1.json');
  const content = { name: 'a-v1', namespace: 'default', admin: '', log, pid: process.pid, started: 'long ago' };
  writePrivate(joined, JSON.stringify(content));
  const watch = new JoinedWatch(paths, client, () => {});
  context.after(() => watch.stop());
  watch.start();
  await until('it is cleaned up', () => !existsSync(joined));
  for (const path of [log, `${log}.1`, folder]) assert.ok(!existsSync(path), path);
});
