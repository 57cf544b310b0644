import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { PausedClock } from './clock.ts';
import { LineWriter } from './line-writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'weft-line-writer-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function freshPath(): string {
  files++;
  return join(folder, `${files}.log`);
}

describe('LineWriter', () => {
  it('writes lines in order and creates the file', async () => {
    const path = freshPath();
    const writer = new LineWriter({ target: { path }, clock: new PausedClock() });
    for (let i = 0; i < 10_000; i++) writer.write(`line ${i}`);
    await writer.close();
    const lines = readFileSync(path, 'utf8').split('\n');
    assert.equal(lines.length, 10_001);
    assert.equal(lines[9_999], 'line 9999');
    assert.equal(writer.writtenLines, 10_000);
    assert.equal(writer.droppedLines, 0);
  });

  it('lets lines gather until the batch is due', async () => {
    const path = freshPath();
    const clock = new PausedClock();
    const writer = new LineWriter({ target: { path }, clock, batchMs: 50 });
    writer.write('one');
    writer.write('two');
    clock.advance(40);
    assert.equal(readFileSync(path, 'utf8'), '');
    clock.advance(20);
    await writer.flush();
    assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n');
    await writer.close();
  });

  it('drops and counts what goes beyond the bound', async () => {
    const path = freshPath();
    const writer = new LineWriter({ target: { path }, clock: new PausedClock(), limitBytes: 10 });
    assert.equal(writer.write('12345678'), true);
    assert.equal(writer.write('too much'), false);
    assert.equal(writer.droppedLines, 1);
    await writer.close();
    assert.equal(readFileSync(path, 'utf8'), '12345678\n');
  });

  it('goes on in a new file after the old one was renamed and it was told to reopen', async () => {
    const path = freshPath();
    const writer = new LineWriter({ target: { path }, clock: new PausedClock() });
    writer.write('before');
    await writer.flush();
    assert.equal(writer.isRotated(), false);
    renameSync(path, `${path}.1`);
    assert.equal(writer.isRotated(), true);
    writer.reopen();
    writer.write('after');
    await writer.close();
    assert.equal(readFileSync(`${path}.1`, 'utf8'), 'before\n');
    assert.equal(readFileSync(path, 'utf8'), 'after\n');
  });

  it('counts lines that the target refuses', async () => {
    const writer = new LineWriter({ target: { fd: 1_000_000 }, clock: new PausedClock() });
    writer.write('nowhere to go');
    await writer.close();
    assert.equal(writer.droppedLines, 1);
    assert.equal(writer.write('late'), false);
  });

  it('says at construction when the path cannot be opened', () => {
    const options = { target: { path: join(folder, 'missing', 'x.log') }, clock: new PausedClock() };
    assert.throws(() => new LineWriter(options), /ENOENT/);
  });

  const module = JSON.stringify(new URL('./line-writer.ts', import.meta.url).href);
  const clockModule = JSON.stringify(new URL('./clock.ts', import.meta.url).href);
  const opening = `import { LineWriter } from ${module}; import { systemClock as clock } from ${clockModule};`;

  it('writes what waits when the process exits', () => {
    const script = `${opening}
      const writer = new LineWriter({ target: { fd: 1 }, clock });
      writer.write('last words'); process.exit(3);`;
    const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.equal(result.status, 3);
    assert.equal(result.stdout, 'last words\n');
  });

  it('keeps nobody waiting for a reader that has stopped', async () => {
    const script = `${opening}
      const writer = new LineWriter({ target: { fd: 1 }, clock, limitBytes: 256 * 1024 });
      const line = 'x'.repeat(1023);
      for (let i = 0; i < 2048; i++) writer.write(line);
      await new Promise((resolve) => setImmediate(resolve));
      process.stderr.write(String(writer.droppedLines));`;
    // Nothing reads the child's standard output, so its pipe fills up.
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [dropped] = await once(child.stderr.setEncoding('utf8'), 'data');
    child.kill('SIGKILL');
    assert.ok(Number(dropped) > 1000, `dropped ${dropped}`);
  });
});
