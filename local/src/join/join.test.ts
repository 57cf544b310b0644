import assert from 'node:assert/strict';
import { test } from 'node:test';
import { workloadNameFor } from './join.ts';

test('makes a name out of any version that a label may hold', () => {
  assert.equal(workloadNameFor({ service: 'web', version: 'v4' }, 7), 'web-v4-7');
  assert.equal(workloadNameFor({ service: 'web', version: 'V1.2_beta' }, 7), 'web-v1-2-beta-7');
});
