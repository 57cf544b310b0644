import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalizePath, type PathPolicy } from './path.ts';

const base: PathPolicy = { normalizes: true, mergesSlashes: false, escapedSlashes: 'keep' };

const cases: [name: string, path: string, policy: PathPolicy, expected: string | null][] = [
  ['leaves a plain path alone', '/a/b?c=../d', base, '/a/b?c=../d'],
  ['removes dot segments', '/a/./b/../c', base, '/a/c'],
  ['keeps a trailing slash behind dots', '/a/b/..', base, '/a/'],
  ['sees dots through escapes', '/a/%2e%2E/b', base, '/b'],
  ['refuses to climb above the root', '/../etc', base, null],
  ['turns backslashes into slashes', '/a\\b', base, '/a/b'],
  ['writes other escapes in upper case', '/a%3fb', base, '/a%3Fb'],
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
