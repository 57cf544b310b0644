import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lastWords } from './last-words.ts';

const cases: readonly (readonly [what: string, log: string | null, words: string | null])[] = [
  ['a reason at the end', '{"a":1}\nweft control-plane: WEFT0520: broken\n', 'WEFT0520: broken'],
  ['a reason that was followed by a good start', 'weft control-plane: WEFT0520: broken\n{"a":1}\n', null],
  ['the reason of another program', 'weft proxy: no\n', null],
  ['a long log', `${'x'.repeat(100_000)}\nweft control-plane: no\n`, 'no'],
  ['an empty log', '', null],
  ['no log', null, null],
];

for (const [what, log, words] of cases) {
  test(`reads ${what}`, (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-log-'));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'a.log');
    if (log !== null) writeFileSync(path, log);
    assert.equal(lastWords(path, 'control-plane'), words);
  });
}
