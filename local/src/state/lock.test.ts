import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { acquireLock, lockHolder } from './lock.ts';
import { startMark } from './process-identity.ts';

function lockPath(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'weft-lock-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'lock');
}

describe('the lock of a state folder', () => {
  it('is held until it is released', (context) => {
    const path = lockPath(context);
    const lock = acquireLock(path);
    assert.equal(lock.wasStale, false);
    assert.equal(lockHolder(path), process.pid);
    assert.throws(() => acquireLock(path), { code: 'WEFT0802', message: new RegExp(`pid ${process.pid}`) });
    lock.release();
    assert.ok(!existsSync(path));
    assert.equal(lockHolder(path), null);
  });

  it('is taken over from a process that no longer runs', async (context) => {
    const path = lockPath(context);
    const child = spawn('sleep', ['60']);
    const started = startMark(child.pid ?? 0);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    writeFileSync(path, JSON.stringify({ pid: child.pid, started }));
    assert.equal(lockHolder(path), null);
    const lock = acquireLock(path);
    assert.equal(lock.wasStale, true);
    lock.release();
  });

  it('is taken over when another process has the id by now', (context) => {
    const path = lockPath(context);
    writeFileSync(path, JSON.stringify({ pid: process.pid, started: 'long ago' }));
    assert.equal(acquireLock(path).wasStale, true);
  });

  for (const content of ['', '{', '{"pid":"x"}', '{"pid":-1,"started":""}', 'null']) {
    it(`is taken over when it holds ${JSON.stringify(content)}`, (context) => {
      const path = lockPath(context);
      writeFileSync(path, content);
      assert.equal(acquireLock(path).wasStale, true);
      assert.equal(JSON.parse(readFileSync(path, 'utf8')).pid, process.pid);
    });
  }

  it('is not removed by a former holder once somebody else has it', (context) => {
    const path = lockPath(context);
    const lock = acquireLock(path);
    writeFileSync(path, JSON.stringify({ pid: 1, started: 'other' }));
    lock.release();
    assert.ok(existsSync(path));
  });
});
