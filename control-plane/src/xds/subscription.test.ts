import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EncodedResource, EncodedSet } from './encoded.ts';
import { Subscription, type Update } from './subscription.ts';

const set = (versions: Record<string, string>): EncodedSet =>
  new Map(
    Object.entries(versions).map(([name, version]): [string, EncodedResource] => [
      name,
      { name, version, any: { typeUrl: '', value: new Uint8Array() } },
    ]),
  );
const changedNames = (update: Update | null) => update?.changed.map(({ name }) => name) ?? null;

/** Sends and accepts what there is. */
function settle(subscription: Subscription, all: EncodedSet, revision: number): void {
  const update = subscription.plan(all, revision, true);
  if (update === null) return;
  subscription.sent(String(revision), update, revision);
  subscription.settle(String(revision), null);
}

test('sends everything once, then only what changed', () => {
  const clusters = new Subscription('cds');
  clusters.subscribe([], true);
  settle(clusters, set({ a: '1', b: '1' }), 1);
  assert.equal(clusters.plan(set({ a: '1', b: '1' }), 2, true), null);
  assert.equal(clusters.ackedRevision, 2, 'nothing to tell counts as told');
  assert.deepEqual(changedNames(clusters.plan(set({ a: '2', b: '1' }), 3, true)), ['a']);
});

test('has one response on the way and plans the rest when it is answered', () => {
  const clusters = new Subscription('cds');
  clusters.subscribe([], true);
  const first = clusters.plan(set({ a: '1' }), 1, true);
  assert.ok(first !== null);
  clusters.sent('n', first, 1);
  assert.equal(clusters.plan(set({ a: '2' }), 2, true), null);
  assert.equal(clusters.settle('other', null), false);
  assert.equal(clusters.settle('n', null), true);
  assert.deepEqual(changedNames(clusters.plan(set({ a: '2' }), 2, true)), ['a']);
});

test('an answer counts for a newer revision with the same content', () => {
  const clusters = new Subscription('cds');
  clusters.subscribe([], true);
  const update = clusters.plan(set({ a: '1' }), 1, true);
  assert.ok(update !== null);
  clusters.sent('n', update, 1);
  clusters.plan(set({ a: '1' }), 5, true);
  clusters.settle('n', null);
  assert.equal(clusters.ackedRevision, 5);
});

test('does not send refused content again, and sends all of it with the next change', () => {
  const clusters = new Subscription('cds');
  clusters.subscribe([], true);
  settle(clusters, set({ a: '1', b: '1' }), 1);
  const bad = clusters.plan(set({ a: '2', b: '2' }), 2, true);
  assert.ok(bad !== null);
  clusters.sent('n', bad, 2);
  clusters.settle('n', 'no');
  assert.deepEqual([clusters.rejection?.message, clusters.ackedRevision], ['no', 1]);
  assert.equal(clusters.plan(set({ a: '2', b: '2' }), 3, true), null);
  assert.equal(clusters.rejection?.message, 'no', 'still refused');
  assert.deepEqual(changedNames(clusters.plan(set({ a: '3', b: '2' }), 4, true)), ['a', 'b']);
});

test('sends what it had before again after a refusal, parts of which may have been made', () => {
  const clusters = new Subscription('cds');
  clusters.subscribe([], true);
  settle(clusters, set({ a: '1', b: '1' }), 1);
  const bad = clusters.plan(set({ a: '2', b: '1', c: '1' }), 2, true);
  assert.ok(bad !== null);
  clusters.sent('n', bad, 2);
  clusters.settle('n', 'no');
  const back = clusters.plan(set({ a: '1', b: '1' }), 3, true);
  assert.ok(back !== null);
  assert.deepEqual([changedNames(back), back.removed], [['a'], ['c']]);
  clusters.sent('o', back, 3);
  clusters.settle('o', null);
  assert.equal(clusters.rejection, null);
  assert.equal(clusters.plan(set({ a: '1', b: '1' }), 4, true), null);
});

test('sends again what a refused update took away and the next one has', () => {
  const clusters = new Subscription('cds');
  clusters.subscribe([], true);
  settle(clusters, set({ a: '1', b: '1' }), 1);
  const update = clusters.plan(set({ b: '2' }), 2, true);
  assert.ok(update !== null);
  assert.deepEqual(update.removed, ['a']);
  clusters.sent('2', update, 2);
  clusters.settle('2', 'no');
  assert.deepEqual(changedNames(clusters.plan(set({ a: '1', b: '1' }), 3, true)), ['a', 'b']);
});

test('takes a refused update for accepted when the client says so later', () => {
  for (const [version, isTaken] of [
    ['2', true],
    ['1', false],
    [null, true],
  ] as const) {
    const listeners = new Subscription('lds');
    listeners.subscribe([], true);
    settle(listeners, set({ a: '1' }), 1);
    const update = listeners.plan(set({ a: '1', b: '1' }), 2, true);
    assert.ok(update !== null);
    listeners.sent('n', update, 2);
    listeners.settle('n', 'the port is taken');
    listeners.settleLate('m', version);
    assert.equal(listeners.rejection?.message, 'the port is taken');
    listeners.settleLate('n', version);
    assert.equal(listeners.rejection, isTaken ? null : listeners.rejection);
    assert.equal(listeners.ackedRevision, isTaken ? 2 : 1);
  }
});

test('tells removals only when it may', () => {
  const clusters = new Subscription('cds');
  clusters.subscribe([], true);
  settle(clusters, set({ a: '1', b: '1' }), 1);
  assert.equal(clusters.plan(set({ a: '1' }), 2, false), null);
  assert.deepEqual(clusters.plan(set({ a: '1' }), 2, true)?.removed, ['b']);
});

test('a client that names its resources gets those', () => {
  const endpoints = new Subscription('eds');
  endpoints.setNames(['a']);
  settle(endpoints, set({ a: '1', b: '1' }), 1);
  assert.equal(endpoints.plan(set({ a: '1', b: '2' }), 2, true), null);
  endpoints.setNames(['a', 'b']);
  assert.deepEqual(changedNames(endpoints.plan(set({ a: '1', b: '2' }), 2, true)), ['b']);
  endpoints.setNames(['b']);
  endpoints.setNames(['a', 'b']);
  assert.deepEqual(
    changedNames(endpoints.plan(set({ a: '1', b: '2' }), 2, true)),
    ['a', 'b'],
    'it forgot what it let go',
  );
});

test('forgets on demand, even while an answer is awaited', () => {
  const endpoints = new Subscription('eds');
  endpoints.subscribe(['a'], true);
  const update = endpoints.plan(set({ a: '1' }), 1, true);
  assert.ok(update !== null);
  endpoints.sent('n', update, 1);
  endpoints.forget(['a']);
  endpoints.settle('n', null);
  assert.deepEqual(changedNames(endpoints.plan(set({ a: '1' }), 1, true)), ['a']);
});

test("keeps silent about secrets of the client's own", () => {
  const secrets = new Subscription('sds');
  secrets.subscribe(['default', 'ROOTCA'], true);
  assert.equal(secrets.plan(set({}), 3, true), null);
  assert.equal(secrets.ackedRevision, 3);
  secrets.subscribe(['kubernetes://web'], false);
  const update = secrets.plan(set({ 'kubernetes://web': '1' }), 4, true);
  assert.deepEqual(changedNames(update), ['kubernetes://web']);
  assert.deepEqual(update?.removed, []);
});

test('state of the world: what a response left out is sent again when it is there again', () => {
  const clusters = new Subscription('cds', true);
  clusters.setNames([]);
  settle(clusters, set({ a: '1', b: '1' }), 1);
  const update = clusters.plan(set({ a: '2' }), 2, false);
  assert.ok(update !== null);
  clusters.sent('2', update, 2);
  clusters.settle('2', null);
  assert.deepEqual(changedNames(clusters.plan(set({ a: '2', b: '1' }), 3, false)), ['b']);
});

test('what was refused is taken away in the end, though an update in between may not take anything away', () => {
  const clusters = new Subscription('cds');
  clusters.subscribe([], true);
  const bad = clusters.plan(set({ bad: '1' }), 1, true);
  assert.ok(bad !== null);
  clusters.sent('1', bad, 1);
  clusters.settle('1', 'no');
  const update = clusters.plan(set({ a: '1' }), 2, false);
  assert.ok(update !== null);
  clusters.sent('2', update, 2);
  clusters.settle('2', null);
  assert.deepEqual(clusters.plan(set({ a: '1' }), 2, true)?.removed, ['bad']);
});

test('removals that may be told are told although the rest was refused before', () => {
  const clusters = new Subscription('cds');
  clusters.subscribe([], true);
  settle(clusters, set({ a: '1', old: '1' }), 1);
  const bad = clusters.plan(set({ a: '2' }), 2, false);
  assert.ok(bad !== null);
  clusters.sent('2', bad, 2);
  clusters.settle('2', 'no');
  const update = clusters.plan(set({ a: '2' }), 2, true);
  assert.deepEqual(update?.removed, ['old']);
  clusters.sent('3', update, 2);
  clusters.settle('3', 'no');
  assert.equal(clusters.plan(set({ a: '2' }), 2, true), null);
});

test('what a refused update changed is sent again until an update is accepted, whatever was refused in between', () => {
  const clusters = new Subscription('cds');
  clusters.subscribe([], true);
  settle(clusters, set({ a: '1', b: '1', gone: '1' }), 1);
  const updates: readonly Record<string, string>[] = [
    { a: '2', b: '1', new: '1' },
    { a: '1', b: '2', gone: '1' },
  ];
  for (const [at, all] of updates.entries()) {
    const update = clusters.plan(set(all), at + 2, true);
    assert.ok(update !== null);
    clusters.sent(String(at), update, at + 2);
    clusters.settle(String(at), 'no');
  }
  assert.ok(clusters.hasName('new'), 'the client may have it');
  const back = clusters.plan(set({ a: '1', b: '1', gone: '1' }), 4, true);
  assert.deepEqual([changedNames(back), back?.removed], [['a', 'b', 'gone'], ['new']]);
});
