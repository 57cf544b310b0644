import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigJournal } from './config-journal.ts';

const bytes = new Uint8Array(1);

test('a worker that starts later gets what is in force, and no endpoints of clusters that are gone', () => {
  const journal = new ConfigJournal();
  journal.record({ kind: 'cluster', set: [['a', bytes]], removed: [], version: '1' });
  journal.record({ kind: 'endpoint', set: [['a', bytes]], removed: [], version: '1' });
  journal.record({ kind: 'endpoint', set: [['b', bytes]], removed: [], version: '2' });
  journal.keepEndpoints(new Set(['b']));
  journal.record({ kind: 'cluster', set: [], removed: ['a'], version: '2' });
  assert.deepEqual(journal.changes(), [{ kind: 'endpoint', set: [['b', bytes]], removed: [], version: '2' }]);
});
