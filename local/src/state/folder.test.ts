import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { findStateFolder, makeStateFolders, statePaths } from './folder.ts';
import { acquireLock } from './lock.ts';
import { readRunFile, removeRunFile, writeRunFile } from './run-file.ts';

function makeFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'weft-state-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('the state folder', () => {
  it('is $WEFT_HOME when that is set', () => {
    assert.equal(findStateFolder({ WEFT_HOME: 'here' }, '/project'), '/project/here');
    assert.equal(findStateFolder({ WEFT_HOME: '/there' }, '/work'), '/there');
  });

  it('is the nearest .weft upwards', (context) => {
    const folder = makeFolder(context);
    mkdirSync(join(folder, '.weft'));
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    assert.equal(findStateFolder({}, join(folder, 'a/b')), join(folder, '.weft'));
  });

  it('is a new .weft in the working folder when there is none above', (context) => {
    const folder = makeFolder(context);
    writeFileSync(join(folder, '.weft'), 'a file is no state folder');
    mkdirSync(join(folder, 'a'));
    assert.equal(findStateFolder({ WEFT_HOME: '' }, join(folder, 'a')), join(folder, 'a/.weft'));
  });

  it('can be read by its owner only', (context) => {
    const paths = statePaths(join(makeFolder(context), 'state'));
    makeStateFolders(paths);
    assert.equal(statSync(paths.root).mode & 0o777, 0o700);
  });

  it('is refused with the reason when it cannot be made', (context) => {
    const folder = makeFolder(context);
    writeFileSync(join(folder, 'file'), '');
    assert.throws(() => makeStateFolders(statePaths(join(folder, 'file/state'))), {
      code: 'WEFT0805',
      message: /WEFT_HOME/,
    });
    assert.throws(() => makeStateFolders(statePaths(join(folder, 'file'))), { code: 'WEFT0805', message: /EEXIST/ });
  });

  it('is refused where no folder can be made at all', { skip: process.platform !== 'linux' }, () => {
    assert.throws(() => makeStateFolders(statePaths('/proc/x')), { code: 'WEFT0805', message: /WEFT_HOME/ });
  });
});

describe('run.json', () => {
  const content = { ingress: 'http://127.0.0.1:1', api: 'http://127.0.0.1:2', tokenFile: '/t', pid: 1, workloads: [] };

  it('is read back while its mesh runs', (context) => {
    const paths = statePaths(makeFolder(context));
    acquireLock(paths.lock);
    writeRunFile(paths.runFile, content);
    assert.deepEqual(readRunFile(paths), content);
    removeRunFile(paths.runFile);
    assert.throws(() => readRunFile(paths), { code: 'WEFT0801' });
  });

  it('does not count once its mesh was killed', (context) => {
    const paths = statePaths(makeFolder(context));
    writeRunFile(paths.runFile, content);
    assert.throws(() => readRunFile(paths), { code: 'WEFT0801', message: /without cleaning up/ });
  });

  it('of somebody else is said to be that, not to be missing', { skip: process.platform === 'win32' }, (context) => {
    const paths = statePaths(makeFolder(context));
    writeRunFile(paths.runFile, content);
    chmodSync(paths.root, 0);
    const isRoot = process.geteuid?.() === 0;
    // Modes do not hold for root.
    if (isRoot) process.seteuid?.(54321);
    try {
      assert.throws(() => readRunFile(paths), { code: 'WEFT0807', message: /as the user who started the mesh/ });
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(paths.root, 0o700);
    }
  });

  for (const damage of ['', '{', '[]', '{"ingress":1}']) {
    it(`is refused when it holds ${JSON.stringify(damage)}`, (context) => {
      const paths = statePaths(makeFolder(context));
      writeFileSync(paths.runFile, damage);
      assert.throws(() => readRunFile(paths), { code: 'WEFT0811' });
    });
  }
});
