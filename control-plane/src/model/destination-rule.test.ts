import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource } from '@weft/api/resource/kind';
import { meshOf, resource } from './model-kit.ts';

const host = 'web.shop.svc.cluster.local';
const rule = (place: string, spec: object, createdAt = '') =>
  resource('DestinationRule', place, { host, ...spec }, { creationTimestamp: createdAt });
const balancer = (simple: string) => ({ trafficPolicy: { loadBalancer: { simple } } });
const find = (resources: AnyResource[], namespace = 'default', labels = {}) =>
  meshOf(resources).destinationRules.find(host, 'shop', { namespace, labels });
const chosen = (resources: AnyResource[], namespace?: string, labels?: Record<string, string>) =>
  find(resources, namespace, labels)?.trafficPolicy?.loadBalancer?.simple;

test("the caller's namespace comes before the service's, and that before the root's", () => {
  const own = rule('default/own', balancer('RANDOM'));
  const ofService = rule('shop/theirs', balancer('ROUND_ROBIN'));
  const ofRoot = rule('istio-system/root', balancer('LEAST_REQUEST'));
  assert.equal(chosen([own, ofService, ofRoot]), 'RANDOM');
  assert.equal(chosen([ofService, ofRoot]), 'ROUND_ROBIN');
  assert.equal(chosen([ofRoot]), 'LEAST_REQUEST');
  assert.equal(chosen([rule('elsewhere/x', balancer('RANDOM'))]), undefined);
});

test('an exact host comes before a wildcard, a longer wildcard before a shorter', () => {
  const wide = rule('default/wide', { host: '*.local', ...balancer('RANDOM') });
  const narrow = rule('default/narrow', { host: '*.svc.cluster.local', ...balancer('ROUND_ROBIN') });
  const exact = rule('default/exact', balancer('LEAST_REQUEST'));
  assert.equal(chosen([wide, narrow, exact]), 'LEAST_REQUEST');
  assert.equal(chosen([wide, narrow]), 'ROUND_ROBIN');
});

test('subsets of several rules are joined; the oldest policy and the first to use a name win', () => {
  const older = rule('shop/a', { ...balancer('RANDOM'), subsets: [{ name: 'v1', labels: { v: '1' } }] }, '2026-01-01');
  const younger = rule(
    'shop/b',
    { ...balancer('ROUND_ROBIN'), subsets: [{ name: 'v1', labels: { v: 'x' } }, { name: 'v2' }] },
    '2026-02-01',
  );
  const found = find([younger, older]);
  assert.equal(found?.trafficPolicy?.loadBalancer?.simple, 'RANDOM');
  assert.deepEqual(
    found?.subsets.map(({ subset }) => [subset.name, subset.labels]),
    [
      ['v1', { v: '1' }],
      ['v2', undefined],
    ],
  );
});

test('exportTo and workloadSelector limit who follows a rule', () => {
  assert.equal(chosen([rule('shop/a', { ...balancer('RANDOM'), exportTo: ['.'] })]), undefined);
  const selecting = rule('default/a', { ...balancer('RANDOM'), workloadSelector: { matchLabels: { app: 'x' } } });
  const all = rule('default/b', balancer('ROUND_ROBIN'));
  assert.equal(chosen([selecting, all], 'default', { app: 'x' }), 'RANDOM');
  assert.equal(chosen([selecting, all], 'default', { app: 'y' }), 'ROUND_ROBIN');
});
