import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { keepFiles, keptFiles, readConfigFile } from './config-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'weft-config-file-'));
test.after(() => rmSync(folder, { recursive: true }));

function read(name: string, bytes: number): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(bytes));
  readConfigFile(path, bytes);
  return path;
}

test('files that configuration named once are not kept for ever', () => {
  keepFiles();
  const first = read('first', 10);
  for (let i = 0; i < 1500; i++) {
    read(`${i}`, 10);
    if (i % 500 === 0) readConfigFile(first, 10);
  }
  assert.equal(keptFiles().size, 1000);
  assert.ok(keptFiles().has(first), 'what is read again stays');
  assert.ok(!keptFiles().has(join(folder, '1')));
  for (let i = 0; i < 8; i++) read(`big ${i}`, 10 * 1024 * 1024);
  assert.equal(keptFiles().size, 6);
});
