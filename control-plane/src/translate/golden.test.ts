// Translation goldens: testdata/<case>.golden.yaml holds a node and resources, a line of dashes, and the xDS they come to.
// `npm run golden` rewrites what follows the dashes; review it with git diff.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { messageToJson } from '@weft/lib/protobuf/codec';
import { stringify } from 'yaml';
import { goldenDivider, translateGolden } from './golden-kit.ts';

const folder = join(import.meta.dirname, 'testdata');
const isUpdate = process.env.WEFT_GOLDEN === 'update';

function goldenText(input: string): string {
  const { head, sections } = translateGolden(input);
  const pattern = new RegExp(head.names ?? '');
  const shown: Record<string, unknown[]> = {};
  for (const { name: section, type, messages } of sections) {
    if (head.show !== undefined && !head.show.includes(section)) continue;
    const named = [...messages].filter(([name]) => pattern.test(name)).map(([, message]) => message);
    if (named.length > 0)
      shown[section] = named.map((message) => messageToJson(type, message, { originalNames: true }));
  }
  return stringify(shown, { lineWidth: 0, aliasDuplicateObjects: false });
}

for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith('.golden.yaml')) continue;
  const path = join(folder, file);
  const whole = readFileSync(path, 'utf8');
  const at = whole.indexOf(goldenDivider);
  const input = at < 0 ? whole : whole.slice(0, at);
  const expected = at < 0 ? '' : whole.slice(at + goldenDivider.length);
  test(`translates ${file.replace('.golden.yaml', '')}`, () => {
    const actual = goldenText(input);
    if (isUpdate && actual !== expected) writeFileSync(path, `${input}${goldenDivider}${actual}`);
    if (isUpdate) return;
    assert.equal(actual, expected, `${file} is not what the translation makes; \`npm run golden\` accepts it`);
  });
}
