import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import type { ProxyStatus } from './proxy-status.ts';
import { RevisionWaiters } from './push-wait.ts';

const status = (id: string, acked: number, more: Partial<ProxyStatus> = {}): ProxyStatus => ({
  id,
  type: 'sidecar',
  workload: id,
  namespace: 'default',
  serviceAccount: 'default',
  isConnected: true,
  since: '',
  protocol: 'sotw',
  wantedRevision: 5,
  ackedRevision: acked,
  isInSync: acked >= 5,
  types: { cds: { wantedRevision: 5, ackedRevision: acked } },
  lastNack: null,
  problem: null,
  certificateExpiresAt: null,
  ...more,
});
const nack = { lastNack: { type: 'cds', revision: 5, message: 'no' } } as const;

/** Waiters over a view that the test changes. */
function setUp(revision: number, statuses: ProxyStatus[]) {
  const clock = new PausedClock();
  const view = { revision, statuses };
  return { clock, view, waiters: new RevisionWaiters(clock, () => view) };
}

test('ends at once when everybody is there, and when nobody is concerned', async () => {
  const { waiters } = setUp(5, [status('a', 5)]);
  assert.deepEqual(await waiters.wait(5, 1000, () => true), { ready: ['a'], missing: [] });
  assert.deepEqual(await waiters.wait(5, 1000, () => false), { ready: [], missing: [] });
});

test('waits for the mesh and for each proxy', async () => {
  const { waiters, view } = setUp(4, [status('a', 4), status('b', 5)]);
  const outcome = waiters.wait(5, 1000, () => true);
  view.revision = 5;
  waiters.check();
  view.statuses = [status('a', 5), status('b', 5)];
  waiters.check();
  assert.deepEqual((await outcome).ready, ['a', 'b']);
});

test('says who is missing and why when time is up', async () => {
  const { waiters, clock } = setUp(5, [status('a', 3), status('b', 5)]);
  const outcome = waiters.wait(5, 1000, () => true);
  clock.advance(1010);
  const { ready, missing } = await outcome;
  assert.deepEqual(ready, ['b']);
  assert.match(missing[0]?.reason ?? '', /accepted revision 3/);
  const late = setUp(4, [status('a', 4)]);
  const other = late.waiters.wait(5, 100, () => true);
  late.clock.advance(110);
  assert.match((await other).missing[0]?.reason ?? '', /has not reached revision 5/);
});

test('does not wait for those who refused, but for the others', async () => {
  const { waiters, view } = setUp(5, [status('a', 3, nack), status('b', 4)]);
  const outcome = waiters.wait(5, 60_000, () => true);
  view.statuses = [status('a', 3, nack), status('b', 5)];
  waiters.check();
  const { ready, missing } = await outcome;
  assert.deepEqual(ready, ['b']);
  assert.match(missing[0]?.reason ?? '', /refused CDS of revision 5: no/);
});

test('a proxy whose configuration cannot be made is told as such', async () => {
  const { waiters } = setUp(5, [status('a', 3, { problem: 'WEFT0607: broken' })]);
  assert.deepEqual((await waiters.wait(5, 60_000, () => true)).missing, [{ proxy: 'a', reason: 'WEFT0607: broken' }]);
});

test('ends a wait that nobody waits for any more', async () => {
  const { waiters } = setUp(5, [status('a', 3)]);
  let leave = () => {};
  const outcome = waiters.wait(
    5,
    60_000,
    () => true,
    (end) => {
      leave = end;
    },
  );
  leave();
  assert.equal((await outcome).missing.length, 1);
  leave();
});

test('ends all waits when the control plane goes', async () => {
  const { waiters } = setUp(5, [status('a', 3)]);
  const outcome = waiters.wait(5, 60_000, () => true);
  waiters.close();
  assert.equal((await outcome).missing.length, 1);
});
