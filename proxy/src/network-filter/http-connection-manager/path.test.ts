import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalizePath, type PathPolicy } from './path.ts';

const base: PathPolicy = { normalizes: true, mergesSlashes: false, escapedSlashes: 'keep' };

const cases: [name: string, path: string, policy: PathPolicy, expected: string | null][] = [
  ['leaves a plain path alone', '/a/b?c=../d', base, '/a/b?c=../d'],
  ['removes dot segments', '/a/./b/../c', base, '/a/c'],
  ['keeps a trailing slash behind dots', '/a/b/..', base, '/a/'],
  ['sees dots through escapes', '/a/%2e%2E/b', base, '/b'],
  ['stays at the root', '/../../etc', base, '/etc'],
  ['sees dots behind a parameter', '/a/..;x/b', base, '/b'],
  ['refuses a NUL', '/a%00b', base, null],
  ['escapes what must not stand bare', '/a|b', base, '/a%7Cb'],
  ['turns backslashes into slashes', '/a\\b', base, '/a/b'],
  ['leaves other escapes as they are', '/a%3fb', base, '/a%3fb'],
  ['decodes what needs no escape, at the end too', '/%41%7e%2D%5F%61', base, '/A~-_a'],
  ['leaves what is no escape as it is', '/a%4/%zz%4g%', base, '/a%4/%zz%4g%'],
  ['keeps bytes beyond ASCII', '/\u00e9%2e', base, '/\u00e9.'],
  ['escapes every bare byte that must not be', '/"<>^`{|}', base, '/%22%3C%3E%5E%60%7B%7C%7D'],
  ['keeps escaped slashes by default', '/a%2Fb', base, '/a%2Fb'],
  ['refuses escaped slashes when told', '/a%2fb', { ...base, escapedSlashes: 'reject' }, null],
  ['decodes escaped slashes when told', '/a%2f..%2fb', { ...base, escapedSlashes: 'forward' }, '/b'],
  ['merges slashes when told', '/a//b///c', { ...base, mergesSlashes: true }, '/a/b/c'],
];

for (const [name, path, policy, expected] of cases) {
  test(name, () => {
    assert.equal(normalizePath(path, policy)?.path ?? null, expected);
  });
}
