import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bySpecificity, hostCovers, hostIntersection, isVisible, labelsFit, resolveHost } from './host.ts';

test('a name without a dot is a service of the namespace', () => {
  assert.equal(resolveHost('Reviews', 'default', 'cluster.local'), 'reviews.default.svc.cluster.local');
  assert.equal(resolveHost('api.example', 'default', 'cluster.local'), 'api.example');
  assert.equal(resolveHost('*', 'default', 'cluster.local'), '*');
});

test('a wildcard covers what ends like it, not the bare domain', () => {
  const cases: [string, string, boolean][] = [
    ['*', 'a.example', true],
    ['*', '*.example', true],
    ['a.example', 'a.example', true],
    ['*.example', 'a.example', true],
    ['*.example', 'b.a.example', true],
    ['*.example', '*.a.example', true],
    ['*.example', '*.example', true],
    ['*.example', 'example', false],
    ['*.a.example', '*.example', false],
    ['a.example', '*.example', false],
    ['*.example', 'a.other', false],
  ];
  for (const [pattern, host, expected] of cases)
    assert.equal(hostCovers(pattern, host), expected, `${pattern} ${host}`);
});

test('the narrower of two hosts is what they share', () => {
  assert.equal(hostIntersection('*', 'a.example'), 'a.example');
  assert.equal(hostIntersection('*.a.example', '*.example'), '*.a.example');
  assert.equal(hostIntersection('a.example', 'b.example'), null);
});

test('exact hosts come first, then longer wildcards', () => {
  const hosts = ['*', '*.example', 'a.example', '*.b.example', 'longer.example'];
  assert.deepEqual(hosts.sort(bySpecificity), ['longer.example', 'a.example', '*.b.example', '*.example', '*']);
});

test('exportTo says who sees a resource', () => {
  assert.equal(isVisible(undefined, 'a', 'b'), true);
  assert.equal(isVisible([], 'a', 'b'), true);
  assert.equal(isVisible(['*'], 'a', 'b'), true);
  assert.equal(isVisible(['.'], 'a', 'a'), true);
  assert.equal(isVisible(['.'], 'a', 'b'), false);
  assert.equal(isVisible(['b', 'c'], 'a', 'b'), true);
  assert.equal(isVisible(['~'], 'a', 'a'), false);
});

test('labels fit when every wanted one is there', () => {
  assert.equal(labelsFit(undefined, {}), true);
  assert.equal(labelsFit({ app: 'a' }, { app: 'a', version: 'v1' }), true);
  assert.equal(labelsFit({ app: 'a', version: 'v2' }, { app: 'a', version: 'v1' }), false);
});
