import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Issue } from '@weft/lib/issue';
import { composeFiles } from './compose.ts';

test('a file with any number of findings is told of, and stops nothing', () => {
  const issue: Issue = { code: 'WEFT0407', level: 'error', message: 'There is no field a here.' };
  const loaded = { documents: [], issues: Array.from({ length: 200_000 }, () => issue), isWhole: true };
  const { issues } = composeFiles([{ loaded, good: new Map() }], () => null);
  assert.equal(issues.length, 200_000);
});
