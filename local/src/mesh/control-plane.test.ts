import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readToken } from '@weft/control-plane/api-token';
import { temporaryFolder } from '../../../test/kit/folder.ts';
import { makeToken } from './control-plane.ts';

test('makes a token once, for its owner only', (context) => {
  const path = join(temporaryFolder(context), 'token');
  makeToken(path, assert.fail);
  const token = readToken(path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  makeToken(path, assert.fail);
  assert.equal(readToken(path), token);
  assert.deepEqual(readdirSync(join(path, '..')), ['token']);
});

test('keeps a token that somebody has put there', (context) => {
  const path = join(temporaryFolder(context), 'token');
  writeFileSync(path, 'my-own-token-0123456789');
  makeToken(path, assert.fail);
  assert.equal(readFileSync(path, 'utf8'), 'my-own-token-0123456789');
});

for (const [what, content, notes] of [
  ['nothing', '', 0],
  ['a blank line', '\n', 0],
  ['half a token', 'Zk3', 1],
  ['blocks that were never written', '\0'.repeat(44), 0],
] as const) {
  test(`makes another where a full disk or a crash left ${what}`, (context) => {
    const path = join(temporaryFolder(context), 'token');
    writeFileSync(path, content, { mode: 0o644 });
    const told: string[] = [];
    makeToken(path, (text) => told.push(text));
    assert.equal(readToken(path).length, 43);
    assert.equal(told.length, notes, 'said where a person may have written it');
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });
}
