import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/kit/folder.ts';
import { writePrivate } from './private-file.ts';

test('replaces what was there, for the owner only', (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, 'secret');
  writeFileSync(path, 'old', { mode: 0o644 });
  writePrivate(path, 'new');
  assert.equal(readFileSync(path, 'utf8'), 'new');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ['secret']);
});

test('leaves no draft behind when it fails', (context) => {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, 'secret'));
  assert.throws(() => writePrivate(join(folder, 'secret'), 'new'), { code: 'EISDIR' });
  assert.deepEqual(readdirSync(folder), ['secret']);
});
