import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { MeshApiClient } from '../mesh-api/client.ts';
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
    folder,
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
