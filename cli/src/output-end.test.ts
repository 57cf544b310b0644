import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('../main.mjs', import.meta.url));

describe('output without a reader', () => {
  it('ends the command quietly, with the status of a broken pipe', async () => {
    const child = spawn(process.execPath, [entry, 'completion', 'bash'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    const [status] = (await once(child, 'close')) as [number | null];
    assert.equal(complaint, '');
    assert.equal(status, 141);
  });
});
