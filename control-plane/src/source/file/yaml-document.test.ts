// What YAML can say in many ways, and what is wrong with it: values and lines, or findings with their line, never an exception.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readDocuments } from './yaml-document.ts';

const values = (text: string) => readDocuments(text, 'a.yaml').documents.map(({ value }) => value);
const lines = (text: string) => readDocuments(text, 'a.yaml').documents[0]?.positions.fields;
const problems = (text: string) =>
  readDocuments(text, 'a.yaml').issues.map(({ code, message, origin }) => `${origin?.line} ${code} ${message}`);

describe('readDocuments: aliases and merge keys', () => {
  it('follows aliases to the last anchor before them', () => {
    assert.deepEqual(values('a: &x 1\nb: *x\nc: &x 2\nd: *x\n'), [{ a: 1, b: 1, c: 2, d: 2 }]);
    assert.deepEqual(values('a: &x [{b: c}]\nd: *x\n'), [{ a: [{ b: 'c' }], d: [{ b: 'c' }] }]);
    assert.deepEqual(values('&x a: 1\nb: *x\n'), [{ a: 1, b: 'a' }]);
  });

  it('merges mappings: own keys win wherever they stand, then what is named first', () => {
    const base = 'x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\n';
    const merged = (text: string) => (values(`${base}z: ${text}`)[0] as { z: unknown }).z;
    assert.deepEqual(merged('{<<: *x}'), { a: 1, b: 1 });
    assert.deepEqual(merged('{b: 3, <<: *x}'), { a: 1, b: 3 });
    assert.deepEqual(merged('{<<: *x, b: 3}'), { a: 1, b: 3 });
    assert.deepEqual(merged('{<<: [*x, *y]}'), { a: 1, b: 1, c: 2 });
    assert.deepEqual(merged('{<<: {<<: *y, b: 4}}'), { b: 4, c: 2 });
    assert.deepEqual(merged('{"<<": *x}'), { '<<': { a: 1, b: 1 } }, 'in quotes it is a name');
    assert.deepEqual(values('%YAML 1.1\n---\nx: &x {a: 1}\nz: {<<: *x}\n'), [{ x: { a: 1 }, z: { a: 1 } }]);
  });

  it('names the lines where the fields really stand', () => {
    const fields = lines('x: &x\n  a: 1\n  b:\n  - c: 1\nz:\n  <<: *x\n  a: 2\n');
    assert.equal(fields?.['z.a'], 7);
    assert.equal(fields?.['z.b'], 3);
    assert.equal(fields?.['z.b[0].c'], 4);
    assert.equal(readDocuments('kind: List\nitems:\n- a:\n    b: 1\n- c: 1\n', '').documents[1]?.positions.line, 5);
    assert.deepEqual(readDocuments('kind: List\nitems:\n- a:\n    b: 1\n', '').documents[0]?.positions.fields, {
      a: 3,
      'a.b': 4,
    });
  });

  it('says where an alias or a merge means nothing', () => {
    assert.match(problems('a: 1\nb: *x\n').join(), /^2 WEFT0401 The alias \*x has no anchor &x before it/);
    assert.match(problems('a: &x 1\n---\nb: *x\n').join(), /^3 WEFT0401 The alias \*x .* other documents do not count/);
    assert.match(problems('a: *x\nb: &x 1\n').join(), /^1 WEFT0401/);
    assert.match(problems('a: 1\nb:\n  <<: 1\n').join(), /^3 WEFT0401 The merge key << takes a mapping/);
    assert.match(problems('a: &a\n  b: *a\n').join(), /^1 WEFT0403/);
    assert.match(problems('a: &a\n  <<: *a\n').join(), /^1 WEFT0403/);
  });
});

describe('readDocuments: mistakes', () => {
  it('says where a key stands twice', () => {
    assert.deepEqual(problems('a: 1\nb:\n  c: 1\n  c: 2\n'), [
      '4 WEFT0401 The key c stands in line 3 of the same mapping already; remove one.',
    ]);
    assert.match(problems('{"a": 1,\n"a": 2}').join(), /^2 WEFT0401 The key a stands in line 1/);
    assert.match(problems('1: a\n"1": b\n').join(), /^2 WEFT0401 The key 1/);
  });

  it('says where tabs indent, and where a key is no text', () => {
    assert.match(problems('a:\n\tb: 1\n').join(), /^2 WEFT0401 Tabs are not allowed as indentation/);
    assert.match(problems('a: 1\n? [b]\n: 1\n').join(), /^2 WEFT0401 The key of a mapping has to be text/);
  });

  it('reads what stands after a document that gives no value', () => {
    assert.deepEqual(values('a: *x\n---\nb: 1\n'), [{ b: 1 }]);
  });

  it('gives up in bounded time on text that grows without end', () => {
    const doubled = (member: (i: number) => string) =>
      `a0: &a0 {k: 1}\n${Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} ${member(i)}\n`).join('')}`;
    const hostile = {
      aliases: doubled((i) => `[*a${i}, *a${i}]`),
      merges: doubled((i) => `{<<: [*a${i}, *a${i}]}`),
      'wide merges': `a: &a {k: 1, ${Array.from({ length: 300 }, (_, i) => `k${i}: 1`).join(', ')}}\nb: {<<: [${'*a,'.repeat(5000)}]}`,
      'deep block': Array.from({ length: 100 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      'deep flow': '['.repeat(20_000),
      'deep list': '- '.repeat(20_000),
    };
    for (const [name, text] of Object.entries(hostile)) {
      const beganMs = performance.now();
      assert.match(problems(text).join(), /^\d+ WEFT040[13] /, name);
      assert.ok(performance.now() - beganMs < 5000, name);
    }
    const anchors = Array.from({ length: 5000 }, (_, i) => `a${i}: &a${i} x\nb${i}: *a${i}\n`).join('');
    const wide = Array.from({ length: 20_000 }, (_, i) => `a${i}: 1\n`).join('');
    const beganMs = performance.now();
    assert.deepEqual([...problems(anchors), ...problems(wide)], []);
    assert.ok(performance.now() - beganMs < 5000);
  });

  it('reads no further in a document that has too much in it', () => {
    const before = process.cpuUsage();
    assert.match(problems('- a\n'.repeat(2_000_000)).join(), /^\d+ WEFT0403 The document has more in it/);
    assert.ok(process.cpuUsage(before).user < 6_000_000);
    assert.match(problems(`x: 1\n---\n${'- a\n'.repeat(500_000)}`).join(), /WEFT0403/);
    assert.equal(values('---\n[a, b, c]\n'.repeat(9000)).length, 9000);
  });

  it('says no more than is of use, and reads no more documents than anybody writes', () => {
    assert.equal(problems('---\n[\n'.repeat(1000)).length, 50);
    assert.match(problems('---\na\n'.repeat(11_000)).join(), /^20005 WEFT0403 The file has more than 10000 documents/);
  });
});
