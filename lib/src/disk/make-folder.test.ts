import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder } from './make-folder.ts';

test('makes what is missing, and says why it cannot', (context) => {
  const root = mkdtempSync(join(tmpdir(), 'weft-make-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  makeFolder(join(root, 'a/b/c'), 0o700);
  makeFolder(join(root, 'a/b/c'), 0o700);
  assert.equal(statSync(join(root, 'a/b/c')).mode & 0o777, 0o700);
  writeFileSync(join(root, 'file'), '');
  symlinkSync('/nothing/there', join(root, 'link'));
  assert.throws(() => makeFolder(join(root, 'file'), 0o700), { code: 'EEXIST' });
  assert.throws(() => makeFolder(join(root, 'file/a/b'), 0o700), { code: 'ENOTDIR' });
  assert.throws(() => makeFolder(join(root, 'link'), 0o700), { code: 'EEXIST' });
});

test('comes to an end where no folder can ever be', { skip: process.platform !== 'linux' }, () => {
  assert.throws(() => makeFolder('/proc/x/y', 0o700), { code: 'ENOENT' });
});
