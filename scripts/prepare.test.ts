// The first command on a fresh clone, with a stand-in for npm: it sets itself up and then does what it was asked for.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const scripts = fileURLToPath(new URL('.', import.meta.url));

function freshClone(context: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'weft-clone-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ['scripts', 'bin']) mkdirSync(join(root, folder));
  for (const name of ['run', 'prepare']) cpSync(join(scripts, name), join(root, 'scripts', name));
  writeFileSync(join(root, 'package-lock.json'), '{}');
  writeFileSync(
    join(root, 'bin/npm'),
    '#!/bin/sh\necho "npm $*"\nmkdir -p node_modules\n: >node_modules/.package-lock.json\n',
  );
  chmodSync(join(root, 'bin/npm'), 0o755);
  writeFileSync(join(root, 'a.test.mjs'), "import { test } from 'node:test';\ntest('the one test', () => {});\n");
  return root;
}

function run(root: string, ...args: string[]) {
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const env = { ...inherited, PATH: `${join(root, 'bin')}:${process.env.PATH}`, WEFT_NODE: process.execPath };
  return spawnSync('sh', [join(root, 'scripts/run'), ...args], { env, encoding: 'utf8', timeout: 20_000 });
}

test('installs and then runs the tests, and installs nothing the second time', (context) => {
  const root = freshClone(context);
  const first = run(root, 'test', 'a.test.mjs');
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stderr, /npm ci /);
  assert.match(first.stdout, /the one test/);
  const second = run(root, 'test', 'a.test.mjs');
  assert.equal(second.status, 0, second.stderr);
  assert.doesNotMatch(second.stderr, /npm/);
  assert.match(second.stdout, /the one test/);
});

for (const [what, pid] of [
  ['without a process in it', null],
  ['with half a number in it', ''],
  ['of a process that is gone', '99999999'],
] as const) {
  test(`takes over a lock ${what}`, { timeout: 30_000 }, (context) => {
    const root = freshClone(context);
    mkdirSync(join(root, '.weft-prepare.lock'));
    if (pid !== null) writeFileSync(join(root, '.weft-prepare.lock/pid'), pid);
    // Seconds pass at once.
    writeFileSync(join(root, 'bin/sleep'), '#!/bin/sh\n');
    chmodSync(join(root, 'bin/sleep'), 0o755);
    const { status, stderr } = run(root, 'test', 'a.test.mjs');
    assert.equal(status, 0, stderr);
    assert.deepEqual(
      readdirSync(root).filter((name) => name.startsWith('.weft-prepare')),
      [],
    );
  });
}

test('says which verbs there are', (context) => {
  const { status, stderr } = run(freshClone(context), 'tset');
  assert.equal(status, 2);
  assert.match(stderr, /unknown verb 'tset'/);
});
