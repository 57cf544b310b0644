import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  anyRequest,
  countPicks,
  endpoint,
  hostOf,
  SampleClusters,
  seededRandom,
  staticCluster,
} from '../../../../test/kit/clusters.ts';
import { hashText } from '../hash.ts';
import type { Host } from '../host.ts';
import { EdfScheduler } from './edf.ts';
import { RingHashPicker } from './ring-hash.ts';

function cluster(addresses: readonly unknown[], more: object = {}): ReturnType<SampleClusters['get']> {
  const clusters = new SampleClusters();
  clusters.put(staticCluster('web', addresses, more));
  return clusters.get('web');
}

const many = Array.from({ length: 10 }, (_, i) => `10.0.0.${i + 1}:80`);

test('round robin takes turns exactly, wherever it begins', () => {
  assert.deepEqual(new Set(Object.values(countPicks(cluster(many), 500))), new Set([50]));
});

test('weighted turns are spread evenly and not in runs', () => {
  const scheduler = new EdfScheduler(['a', 'b'], (item) => (item === 'a' ? 3 : 1), 0);
  const order = Array.from({ length: 8 }, () => scheduler.pick()).join('');
  assert.equal(order.replaceAll('b', '').length, 6);
  assert.ok(!order.includes('aaaaa') && !order.includes('bb'), order);
});

test('least request prefers the host with fewer requests in flight', () => {
  const web = cluster(['10.0.0.1:80', '10.0.0.2:80'], {
    lb_policy: 'LEAST_REQUEST',
    least_request_lb_config: { choice_count: 5 },
  });
  for (let i = 0; i < 10; i++) hostOf(web, '10.0.0.1:80').onRequestStart();
  const counts = countPicks(web, 400);
  assert.ok((counts['10.0.0.2:80'] ?? 0) > 370, JSON.stringify(counts));
});

test('weighted least request shrinks the share of a busy host', () => {
  const endpoints = [endpoint('10.0.0.1:80', { load_balancing_weight: 2 }), endpoint('10.0.0.2:80')];
  const web = cluster(endpoints, { lb_policy: 'LEAST_REQUEST' });
  for (let i = 0; i < 3; i++) hostOf(web, '10.0.0.1:80').onRequestStart();
  const counts = countPicks(web, 3000);
  // 2 / 4 against 1 / 1.
  assert.ok(Math.abs((counts['10.0.0.1:80'] ?? 0) - 1000) < 100, JSON.stringify(counts));
});

for (const policy of ['RING_HASH', 'MAGLEV']) {
  test(`${policy} sends the same hash to the same host, and moves few when one goes`, () => {
    const before = cluster(many, { lb_policy: policy });
    const after = cluster(many.slice(1), { lb_policy: policy });
    let moved = 0;
    for (let i = 0; i < 2000; i++) {
      const context = { ...anyRequest, hash: hashText(`user ${i}`) };
      const first = before.pick(context);
      assert.equal(before.pick(context), first);
      if (first?.key !== many[0] && after.pick(context)?.key !== first?.key) moved++;
    }
    assert.ok(moved < 200, String(moved));
  });

  test(`${policy} picks any host for a request without a hash`, () => {
    assert.equal(Object.keys(countPicks(cluster(many, { lb_policy: policy }), 1000)).length, 10);
  });
}

test('the ring keeps between its sizes', () => {
  const hosts = cluster(many).hosts;
  const sources = { random: seededRandom(), weightOf: (host: Host) => host.weight };
  const size = (minSize: number, maxSize: number): number =>
    new RingHashPicker(hosts, { minSize, maxSize, useHostname: false }, sources).size;
  assert.equal(size(1024, 8_388_608), 1030);
  assert.equal(size(1024, 1024), 1024);
  assert.equal(size(1, 4), 4);
  assert.equal(size(1, 100), 10);
});

test('a hash key in the metadata of endpoints replaces their address', () => {
  const keyed = (address: string, key: string): object =>
    endpoint(address, { metadata: { filter_metadata: { 'envoy.lb': { hash_key: key } } } });
  const one = cluster([keyed('10.0.0.1:80', 'a'), keyed('10.0.0.2:80', 'b')], { lb_policy: 'RING_HASH' });
  const other = cluster([keyed('10.9.9.1:80', 'a'), keyed('10.9.9.2:80', 'b')], { lb_policy: 'RING_HASH' });
  for (let i = 0; i < 100; i++) {
    const context = { ...anyRequest, hash: hashText(`${i}`) };
    assert.equal(one.pick(context)?.key.slice(-4), other.pick(context)?.key.slice(-4));
  }
});

test('a weight that EDS changes takes effect on the hosts that stay', () => {
  const clusters = new SampleClusters();
  clusters.put({ name: 'web', type: 'EDS', eds_cluster_config: { eds_config: { ads: {} } } });
  const put = (weight: number): void =>
    clusters.putEndpoints('web', {
      cluster_name: 'web',
      endpoints: [
        { lb_endpoints: [endpoint('10.0.0.1:80', { load_balancing_weight: weight }), endpoint('10.0.0.2:80')] },
      ],
    });
  put(1);
  assert.deepEqual(countPicks(clusters.get('web'), 100), { '10.0.0.1:80': 50, '10.0.0.2:80': 50 });
  put(4);
  assert.deepEqual(countPicks(clusters.get('web'), 100), { '10.0.0.1:80': 80, '10.0.0.2:80': 20 });
});

test('drops the share of requests that EDS says to drop', () => {
  const clusters = new SampleClusters();
  clusters.put({ name: 'web', type: 'EDS', eds_cluster_config: { eds_config: { ads: {} } } });
  const drop = { category: 'load', drop_percentage: { numerator: 25, denominator: 'HUNDRED' } };
  clusters.putEndpoints('web', {
    cluster_name: 'web',
    endpoints: [{ lb_endpoints: [endpoint('10.0.0.1:80')] }],
    policy: { drop_overloads: [drop] },
  });
  let dropped = 0;
  for (let i = 0; i < 4000; i++) if (clusters.get('web').drawDrop() !== null) dropped++;
  assert.ok(Math.abs(dropped - 1000) < 120, String(dropped));
  assert.equal(clusters.stat('web', 'upstream_rq_drop_overload'), dropped);
});

test('a locality without a weight serves when those that have one have no host left', () => {
  const clusters = new SampleClusters();
  const locality = (zone: string, weight: number, hosts: readonly object[]): object => ({
    locality: { region: 'r', zone },
    load_balancing_weight: weight,
    lb_endpoints: hosts,
  });
  const ill = { ...endpoint('10.0.0.1:80'), health_status: 'UNHEALTHY' };
  const well = ['10.1.0.1:80', '10.1.0.2:80', '10.1.0.3:80'].map((address) => endpoint(address));
  clusters.put({
    name: 'web',
    common_lb_config: { locality_weighted_lb_config: {} },
    load_assignment: { cluster_name: 'web', endpoints: [locality('a', 1, [ill]), locality('b', 0, well)] },
  });
  assert.equal(countPicks(clusters.get('web'), 300)['10.0.0.1:80'], undefined);
  assert.notEqual(clusters.get('web').pick(anyRequest), null);
});
