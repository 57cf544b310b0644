import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasRepeatedKey, readFlawlessJson } from './plain-json.ts';

test('sees a key that one object names twice, and only that', () => {
  assert.equal(hasRepeatedKey('{"a": {"b": 1}, "c": {"b": 2}}'), false);
  assert.equal(hasRepeatedKey('{"a": "x\\"a\\": ", "b": ["a", "a"]}'), false);
  assert.equal(hasRepeatedKey('[{"a": 1}, {"a": 2}]'), false);
  assert.equal(hasRepeatedKey('{"a": 1, "b": {"c": 2}, "a" : 3}'), true);
  assert.equal(hasRepeatedKey('{"a": 1, "\\u0061": 3}'), true);
});

test('reads a flawless file and leaves every other to the reader that explains', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-plain-'));
  try {
    const read = (text: string) => {
      writeFileSync(join(folder, 'b.json'), text);
      return readFlawlessJson(join(folder, 'b.json'));
    };
    assert.deepEqual(read('{"node": {"id": "n"}}'), { node: { id: 'n' } });
    assert.equal(read('{"node": {"id": "n"}, "nod": 1}'), null);
    assert.equal(read('{"node": {"id": "n"}, "node": {"id": "m"}}'), null);
    assert.equal(read('node: {id: n}'), null);
    assert.equal(readFlawlessJson(join(folder, 'missing.json')), null);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
