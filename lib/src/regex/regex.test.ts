import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RE2JS } from 're2js';
import { WeftError } from '../error.ts';
import { compileRegex, compileSubstitution, maxPatternLength } from './regex.ts';

const patterns = [
  '/exact',
  '^/exact$',
  '/a\\.b',
  '/prefix/.*',
  '^/prefix/.*$',
  '.*suffix',
  '.*inner.*',
  '.*',
  '',
  '^$',
  '(a|b|c)',
  'a|b',
  '(?:GET|POST)',
  '/v[0-9]+/items',
  '/v\\d+/.*',
  '[a-z]+',
  '[^/]*',
  'a?b?c',
  '.+',
  'x{2,3}',
  '(?i)abc',
  '/a/[^/]+/b/[^/]+',
  '^a|b$',
  '\\.*',
  'a\\$',
  'a\\\\$',
  '\\w+',
  '\\s*',
  '[a-c-]+',
  '[-a]',
  '(a+)+$',
  'ab*',
  '\\/x',
  '[[:alpha:]]+',
  '\\Qa.b\\E',
  'a.c',
  '^.*?;?user=jason.*',
  '\\^a',
  'é+',
  'a\\.*',
];
const texts = [
  '',
  '/exact',
  '/exactly',
  '/a.b',
  '/axb',
  '/prefix/',
  '/prefix/x',
  '/prefix',
  'suffix',
  'my suffix',
  'inner',
  'an inner one',
  'a',
  'b',
  'c',
  'd',
  'ab',
  'GET',
  '/v1/items',
  '/v12/items',
  '/v/items',
  '/v1/x\ny',
  'abc',
  'ABC',
  'x',
  'xx',
  'xxxx',
  '/a/1/b/2',
  '/a/1/2/b/3',
  '...',
  'a$',
  'a\\',
  '\n',
  'a\n',
  'a\nsuffix',
  'inner\n',
  '-',
  'a-c',
  'aaaa',
  'abbb',
  '/x',
  'Alpha',
  'a\u2028c',
  'a\rc',
  'a c',
  'a😀c',
  'user=jason',
  'x;user=jason;y',
  '^a',
  'é',
  'éé',
  'a.',
  'a..',
];

test('says the same as the automaton for every pattern and text, whichever path is taken', () => {
  for (const pattern of patterns) {
    const regex = compileRegex(pattern);
    const reference = RE2JS.compile(pattern);
    for (const text of texts) {
      assert.equal(regex.test(text), reference.matches(text), `${pattern} against ${JSON.stringify(text)}`);
    }
  }
});

test('refuses what is no RE2 expression and says why', () => {
  for (const pattern of ['(', '[a', '*a', '(?=a)', '(a)\\1', 'a{2000}']) {
    assert.throws(
      () => compileRegex(pattern),
      (error) => error instanceof WeftError && error.code === 'WEFT0300',
      pattern,
    );
  }
  assert.throws(() => compileRegex('('), /missing closing/);
});

test('refuses a pattern that is too long or compiles to too much', () => {
  assert.throws(() => compileRegex('a'.repeat(maxPatternLength + 1)), /at most 4096/);
  assert.throws(
    () => compileRegex('((?:[a-z][0-9]){30}|x)'.repeat(80) + '(?:b{900}|c{900})'.repeat(10)),
    /instructions|at most/,
  );
});

test('takes no exponential time over nested repetition', () => {
  const regex = compileRegex('(a+)+(b+)+$');
  const started = performance.now();
  assert.equal(regex.test('a'.repeat(20_000)), false);
  assert.ok(performance.now() - started < 2000);
});

test('replaces every match with groups, as RE2 does', () => {
  const cases: [pattern: string, substitution: string, text: string, result: string][] = [
    ['^/service/([^/]+)(/.*)$', '\\2/instance/\\1', '/service/foo/v1/api', '/v1/api/instance/foo'],
    ['one', 'two', '/xxx/one/yyy/one/zzz', '/xxx/two/yyy/two/zzz'],
    ['^(.*?)one(.*)$', '\\1two\\2', '/xxx/one/yyy/one/zzz', '/xxx/two/yyy/one/zzz'],
    ['(?i)/xxx/', '/yyy/', '/aaa/XxX/bbb', '/aaa/yyy/bbb'],
    ['x*', '-', 'axb', '-a-b-'],
    ['a', '\\\\\\0', 'ba', 'b\\a'],
    ['z', 'y', 'none', 'none'],
  ];
  for (const [pattern, substitution, text, result] of cases) {
    assert.equal(compileRegex(pattern).replaceAll(text, compileSubstitution(substitution)), result, pattern);
  }
});

test('knows the highest group of a substitution and refuses odd escapes', () => {
  assert.equal(compileSubstitution('\\1x\\3').highestGroup, 3);
  assert.equal(compileRegex('(a)(b)').groupCount, 2);
  assert.throws(() => compileSubstitution('\\n'), /no group/);
});
