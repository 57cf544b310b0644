import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSpiffeId, isValidTrustDomain, parseSpiffeId } from './spiffe.ts';

test('takes a workload identity apart and puts it together again', () => {
  const text = 'spiffe://cluster.local/ns/default/sa/bookinfo-reviews.v2';
  const id = parseSpiffeId(text);
  assert.deepEqual(id, { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'bookinfo-reviews.v2' });
  assert.equal(id === null ? '' : formatSpiffeId(id), text);
});

const refused = [
  '',
  'http://cluster.local/ns/a/sa/b',
  'spiffe://cluster.local/ns/a/sa/b/',
  'spiffe://cluster.local/ns/a/sa/b?x=1',
  'spiffe://cluster.local/ns/a/sa/b#x',
  'spiffe://cluster.local:80/ns/a/sa/b',
  'spiffe://user@cluster.local/ns/a/sa/b',
  'spiffe://Cluster.local/ns/a/sa/b',
  'spiffe://cluster.local/ns/../sa/b',
  'spiffe://cluster.local/ns//sa/b',
  'spiffe://cluster.local/ns/a/sa/b\n',
  'spiffe://cluster.local/ns/a/sa/B',
  'spiffe://cluster.local/sa/b/ns/a',
];
for (const text of refused) {
  test(`refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parseSpiffeId(text), null);
  });
}

test('knows trust domains', () => {
  for (const good of ['cluster.local', 'td', 'a-b.c_d']) assert.ok(isValidTrustDomain(good), good);
  for (const bad of ['', '.', 'a..b', '-a', 'a/b', 'A', 'a:1']) assert.ok(!isValidTrustDomain(bad), bad);
});
