// The table of findings: permanent, unique, explained, and in use.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { issueCodes } from './issue-code.ts';

describe('Issue codes', () => {
  it('are unique, in the range of resources, and explained', () => {
    const all = Object.values(issueCodes);
    assert.equal(new Set(all.map((each) => each.code)).size, all.length);
    for (const { code, title, text } of all) {
      assert.match(code, /^WEFT0(?:[45]\d|86)\d$/);
      assert.ok(title.length > 5 && text.endsWith('.'), code);
    }
  });

  it('are all in use', () => {
    const root = join(import.meta.dirname, '..');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
    );
    const source = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
    const unused = Object.keys(issueCodes).filter((name) => !new RegExp(`Codes\\.${name}\\b`).test(source));
    assert.deepEqual(unused, []);
  });
});
