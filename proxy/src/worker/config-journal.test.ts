import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigJournal } from './config-journal.ts';

const bytes = new Uint8Array(1);

test('a listener serves by its older version in a worker that starts while the newest one waits', () => {
  const journal = new ConfigJournal();
  const [older, newer] = [Uint8Array.of(1), Uint8Array.of(2)];
  journal.record({ kind: 'listener', set: [['main', older]], removed: [], version: '1' });
  journal.record({ kind: 'route', set: [['r', bytes]], removed: [], version: '1' });
  journal.record({
    kind: 'listener',
    set: [
      ['main', newer],
      ['other', newer],
    ],
    removed: [],
    version: '2',
  });
  const changes = journal.changes(new Map([['main', { bytes: older, version: '1' }]]));
  assert.deepEqual(
    changes.map(({ kind, set, version }) => [kind, version, ...set.map(([name, { 0: first }]) => `${name} ${first}`)]),
    [
      ['listener', '1', 'main 1'],
      ['listener', '2', 'other 2'],
      ['route', '1', 'r 0'],
      ['listener', '2', 'main 2'],
    ],
  );
  // Another listener may wait for the address that main is to leave.
  assert.deepEqual(
    changes.flatMap(({ leaving = [] }) => leaving),
    ['main', 'main'],
  );
});

test('a worker that starts later gets what is in force, and no endpoints of clusters that are gone', () => {
  const journal = new ConfigJournal();
  journal.record({ kind: 'cluster', set: [['a', bytes]], removed: [], version: '1' });
  journal.record({ kind: 'endpoint', set: [['a', bytes]], removed: [], version: '1' });
  journal.record({ kind: 'endpoint', set: [['b', bytes]], removed: [], version: '2' });
  journal.keepEndpoints(new Set(['b']));
  journal.record({ kind: 'cluster', set: [], removed: ['a'], version: '2' });
  assert.deepEqual(journal.changes(), [{ kind: 'endpoint', set: [['b', bytes]], removed: [], version: '2' }]);
});
