import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { findProgram, isExecutable } from './program-path.ts';

test('finds a program in the folders of a path', () => {
  assert.equal(findProgram('node', `/nowhere::${dirname(process.execPath)}`), process.execPath);
  assert.equal(findProgram('no-such-program', process.env.PATH), null);
  assert.equal(findProgram('no-such-program', undefined), null);
});

test('takes only what may be run', () => {
  assert.equal(isExecutable(process.execPath), true);
  assert.equal(isExecutable(import.meta.filename), false);
});
