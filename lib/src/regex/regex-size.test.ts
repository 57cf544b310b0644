import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRegex, Regex } from './regex.ts';
import { estimateProgramSize } from './regex-size.ts';

test('the estimate is near what a pattern compiles to', () => {
  const patterns = [
    'abc',
    '/api/v[0-9]+/(users|groups)/.*',
    '(a{10}){10}',
    '((a{1,10}){1,10}){1,10}',
    '[]a]{100}',
    '[^]\\]a]{100}',
    '[a[:alpha:][:^digit:]]{100}',
    '[a\\[:]{100}',
    'x{0,1000}',
    '(\\pL|\\pN|\\pS){1000}',
    '(?:a|b){50,}',
    '\\{1000}',
  ];
  for (const pattern of patterns) {
    const [real, estimate] = [new Regex(pattern).programSize, estimateProgramSize(pattern)];
    assert.ok(estimate >= real / 3 - 5 && estimate <= real * 5 + 5, `${pattern}: ${estimate} for ${real}`);
  }
  for (const broken of ['(((', ')))', '[', '[^', '\\', 'a{2', '[[:alpha', '{3}']) estimateProgramSize(broken);
});

test('the estimate takes time in proportion to the text', () => {
  const before = process.cpuUsage();
  estimateProgramSize(`[${'[:'.repeat(100_000)}`);
  for (const part of ['\\p{', '\\p{a', '\\Q', '\\Q\\E']) estimateProgramSize(part.repeat(100_000));
  assert.ok(process.cpuUsage(before).user < 500_000);
});

test('braces that are no repetition count as what they are', () => {
  for (const pattern of [
    '\\x{100000}',
    '(\\x{2028}|a){50}',
    '\\p{Greek}{3}',
    '\\Q(a{1000}{1000}){9}\\E{3}',
    '\\Qa{1000}{1000}',
  ]) {
    compileRegex(pattern);
    assert.ok(estimateProgramSize(pattern) < 300, pattern);
  }
});

test('a pattern that is far too large is refused without being compiled', () => {
  const before = process.cpuUsage();
  assert.throws(() => compileRegex('x{0,1000}'.repeat(400)), /compiles to about 400000 instructions/);
  assert.ok(process.cpuUsage(before).user < 300_000);
});
