import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.mjs', import.meta.url));

for (const args of [['version'], ['proxy', '--help'], ['control-plane', '--help']]) {
  // Only root may become a user that the machine does not know.
  test(`weft ${args[0]} runs for a user without a home`, { skip: process.getuid?.() !== 0 }, () => {
    const { status, stderr } = spawnSync(process.execPath, [main, ...args], {
      uid: 54321,
      gid: 54321,
      env: {},
      cwd: '/',
    });
    assert.equal(stderr.toString(), '');
    assert.equal(status, 0);
  });
}

test('says in a line that the working folder was removed', { skip: process.platform === 'win32' }, () => {
  const cwd = mkdtempSync(join(tmpdir(), 'weft-gone-'));
  const script = 'rmdir "$1" && exec "$2" "$3" version';
  const { status, stderr } = spawnSync('/bin/sh', ['-c', script, 'sh', cwd, process.execPath, main], { cwd });
  assert.equal(stderr.toString(), 'weft: the working folder was removed; change to another one (cd) and try again\n');
  assert.equal(status, 1);
});
