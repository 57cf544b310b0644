import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { compileHeaderMatcher } from './header-matcher.ts';

function matches(config: object, ...pairs: string[]): boolean {
  const issues: Issue[] = [];
  const message = messageFromJson('envoy.config.route.v3.HeaderMatcher', { name: 'X-User', ...config }, issues);
  const matcher = compileHeaderMatcher(message, issues, '');
  assert.deepEqual(
    issues.filter((issue) => issue.level === 'error'),
    [],
  );
  return matcher(Headers.of(...pairs));
}

const exact = { string_match: { exact: 'jason' } };

test('each kind of value match', () => {
  const cases: [config: object, value: string, expected: boolean][] = [
    [exact, 'jason', true],
    [exact, 'Jason', false],
    [{ string_match: { exact: 'JASON', ignore_case: true } }, 'jason', true],
    [{ string_match: { prefix: 'ja' } }, 'jason', true],
    [{ string_match: { suffix: 'on' } }, 'jason', true],
    [{ string_match: { contains: 'aso' } }, 'jason', true],
    [{ string_match: { safe_regex: { regex: 'j.*n' } } }, 'jason', true],
    [{ string_match: { safe_regex: { regex: 'j.*n' } } }, 'xjason', false],
    [{ range_match: { start: '-10', end: '10' } }, '-10', true],
    [{ range_match: { start: '-10', end: '10' } }, '10', false],
    [{ range_match: { start: '-10', end: '10' } }, '1x', false],
    [{ range_match: { start: '9007199254740993', end: '9007199254740994' } }, '9007199254740993', true],
    [{ range_match: { start: '9007199254740993', end: '9007199254740994' } }, '9007199254740992', false],
    [{ string_match: { exact: 'é' } }, Buffer.from('é').toString('latin1'), true],
    [{ exact_match: 'jason' }, 'jason', true],
    [{ prefix_match: 'ja' }, 'jason', true],
    [{ suffix_match: 'on' }, 'jason', true],
    [{ contains_match: 'aso' }, 'jason', true],
    [{ safe_regex_match: { regex: 'j[a-z]+' } }, 'jason', true],
    [{}, '', true],
  ];
  for (const [config, value, expected] of cases) {
    assert.equal(matches(config, 'x-user', value), expected, `${JSON.stringify(config)} ${value}`);
    assert.equal(
      matches({ ...config, invert_match: true }, 'x-user', value),
      !expected,
      `inverted ${JSON.stringify(config)} ${value}`,
    );
  }
});

test('a missing header matches nothing, not even inverted, unless it is to count as empty', () => {
  assert.equal(matches(exact), false);
  assert.equal(matches({ ...exact, invert_match: true }), false);
  assert.equal(matches({ ...exact, invert_match: true, treat_missing_header_as_empty: true }), true);
  assert.equal(matches({ string_match: { safe_regex: { regex: '^$' } }, treat_missing_header_as_empty: true }), true);
  assert.equal(matches({ string_match: { safe_regex: { regex: '^$' } } }), false);
});

test('presence and absence, inverted and not', () => {
  assert.equal(matches({ present_match: true }, 'x-user', 'a'), true);
  assert.equal(matches({ present_match: true }), false);
  assert.equal(matches({ present_match: false }), true);
  assert.equal(matches({ present_match: false }, 'x-user', ''), false);
  assert.equal(matches({ present_match: true, invert_match: true }), true);
  assert.equal(matches({ present_match: true, invert_match: true }, 'x-user', 'a'), false);
});

test('of a repeated header some value must match, and inverted none may', () => {
  assert.equal(matches(exact, 'x-user', 'evil', 'x-user', 'jason'), true);
  assert.equal(matches(exact, 'x-user', 'a', 'x-user', 'b'), false);
  assert.equal(matches({ string_match: { exact: 'a,b' } }, 'x-user', 'a', 'x-user', 'b'), false);
  const inverted = { ...exact, invert_match: true };
  assert.equal(matches(inverted, 'x-user', 'jason', 'x-user', 'evil'), false);
  assert.equal(matches(inverted, 'x-user', 'a', 'x-user', 'b'), true);
});

test('cookies that were split are one header', () => {
  const cookie = { name: 'cookie', string_match: { safe_regex: { regex: '^(.*?;)?\\s*(user=jason)(;.*)?$' } } };
  assert.equal(matches(cookie, 'cookie', 'a=b', 'cookie', 'user=jason'), true);
  assert.equal(matches(cookie, 'cookie', 'a=b; user=jason; c=d'), true);
  assert.equal(matches(cookie, 'cookie', 'a=b', 'cookie', 'user=other'), false);
});
