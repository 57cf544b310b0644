import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyRequest, SampleClusters, settle, staticCluster } from '../../../../test/kit/clusters.ts';

function dnsCluster(type: string, more: object = {}, endpoints: readonly unknown[] = ['api.test:80']): object {
  return { ...staticCluster('api', endpoints, more), type };
}

function keys(clusters: SampleClusters): string[] {
  return clusters
    .get('api')
    .hosts.map((host) => host.key)
    .sort();
}

test('strict DNS makes every address a host and keeps the name', async () => {
  const clusters = new SampleClusters();
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.2', '10.0.0.1', '10.0.0.1'], ttlMs: null });
  clusters.put(dnsCluster('STRICT_DNS'));
  assert.equal(clusters.set.isWarm('api'), false);
  assert.equal(clusters.get('api').pick(anyRequest), null);
  await settle();
  assert.equal(clusters.set.isWarm('api'), true);
  assert.deepEqual(keys(clusters), ['10.0.0.1:80', '10.0.0.2:80']);
  assert.equal(clusters.get('api').hosts[0]?.hostname, 'api.test');
  assert.deepEqual(clusters.resolver.asked, ['api.test AUTO']);
});

test('asks again at the refresh rate and keeps the hosts that stay', async () => {
  const clusters = new SampleClusters();
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.1', '10.0.0.2'], ttlMs: 1000 });
  clusters.put(dnsCluster('STRICT_DNS', { dns_refresh_rate: '7s', dns_lookup_family: 'V4_ONLY' }));
  await settle();
  const kept = clusters.get('api').hosts.find((host) => host.address === '10.0.0.1');
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.1', '10.0.0.3'], ttlMs: 1000 });
  clusters.clock.advance(6900);
  assert.equal(clusters.resolver.asked.length, 1);
  clusters.clock.advance(200);
  await settle();
  assert.deepEqual(clusters.resolver.asked, ['api.test V4_ONLY', 'api.test V4_ONLY']);
  assert.deepEqual(keys(clusters), ['10.0.0.1:80', '10.0.0.3:80']);
  assert.ok(clusters.get('api').hosts.includes(kept as never));
});

test('honours the lifetime of an answer where told to, but never a lifetime of zero', async () => {
  const clusters = new SampleClusters();
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.1'], ttlMs: 20_000 });
  clusters.put(dnsCluster('STRICT_DNS', { respect_dns_ttl: true }));
  await settle();
  clusters.clock.advance(19_900);
  assert.equal(clusters.resolver.asked.length, 1);
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.1'], ttlMs: 0 });
  clusters.clock.advance(200);
  await settle();
  assert.equal(clusters.resolver.asked.length, 2);
  clusters.clock.advance(4900);
  assert.equal(clusters.resolver.asked.length, 2);
  clusters.clock.advance(200);
  assert.equal(clusters.resolver.asked.length, 3);
});

test('a failed refresh keeps the hosts, backs off, and an empty answer takes them away', async () => {
  const clusters = new SampleClusters();
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.1'], ttlMs: null });
  clusters.put(dnsCluster('STRICT_DNS', { dns_failure_refresh_rate: { base_interval: '2s', max_interval: '8s' } }));
  await settle();
  clusters.resolver.answers.set('api.test', new Error('server is down'));
  clusters.clock.advance(5100);
  await settle();
  assert.deepEqual(keys(clusters), ['10.0.0.1:80']);
  assert.equal(clusters.stat('api', 'update_failure'), 1);
  for (let i = 0; i < 60; i++) {
    clusters.clock.advance(1000);
    await settle();
  }
  const asked = clusters.resolver.asked.length;
  assert.ok(asked >= 9 && asked <= 18, String(asked));
  assert.deepEqual(keys(clusters), ['10.0.0.1:80']);
  clusters.resolver.answers.set('api.test', { addresses: [], ttlMs: null });
  clusters.clock.advance(8100);
  await settle();
  assert.deepEqual(keys(clusters), []);
});

test('is warm after its first answer even when that is a failure', async () => {
  const clusters = new SampleClusters();
  clusters.put(dnsCluster('STRICT_DNS', {}, ['api.test:80', '10.0.0.9:80']));
  await settle();
  assert.equal(clusters.set.isWarm('api'), true);
  assert.deepEqual(keys(clusters), ['10.0.0.9:80']);
});

test('logical DNS keeps one host and its pool while its address follows', async () => {
  const clusters = new SampleClusters();
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.1', '10.0.0.2'], ttlMs: null });
  clusters.put(dnsCluster('LOGICAL_DNS'));
  await settle();
  const [host] = clusters.get('api').hosts;
  assert.equal(host?.address, '10.0.0.1');
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.7'], ttlMs: null });
  clusters.clock.advance(5100);
  await settle();
  assert.equal(clusters.get('api').hosts[0], host);
  assert.equal(host?.address, '10.0.0.7');
  assert.equal(host?.removed, false);
});

test('logical DNS refuses more than one endpoint', () => {
  const clusters = new SampleClusters();
  const { issues } = clusters.prepare(dnsCluster('LOGICAL_DNS', {}, ['a.test:80', 'b.test:80']));
  assert.deepEqual(
    issues.map((issue) => issue.code),
    ['WEFT0367'],
  );
});

test('a changed cluster serves by its old version until the new names are resolved', async () => {
  const clusters = new SampleClusters();
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.1'], ttlMs: null });
  clusters.resolver.answers.set('next.test', { addresses: ['10.0.0.2'], ttlMs: null });
  clusters.put(dnsCluster('STRICT_DNS'));
  await settle();
  const old = clusters.get('api');
  const host = old.pick(anyRequest);
  clusters.put(dnsCluster('STRICT_DNS', {}, ['next.test:80']));
  assert.equal(clusters.get('api'), old);
  assert.equal(clusters.set.isWarm('api'), false);
  await settle();
  assert.deepEqual(keys(clusters), ['10.0.0.2:80']);
  assert.equal(host?.removed, true);
});

test('asks no more once the cluster is gone', async () => {
  const clusters = new SampleClusters();
  clusters.put(dnsCluster('STRICT_DNS'));
  await settle();
  clusters.set.prepare(new Map(), ['api'], 'v2').commit();
  const asked = clusters.resolver.asked.length;
  clusters.clock.advance(60_000);
  assert.equal(clusters.resolver.asked.length, asked);
});

test('logical DNS keeps its host when there is nothing for a moment, and goes by the order of the answer', async () => {
  const clusters = new SampleClusters();
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.9', '10.0.0.1'], ttlMs: null });
  clusters.put(dnsCluster('LOGICAL_DNS'));
  await settle();
  const address = () => clusters.get('api').hosts[0]?.address;
  assert.equal(address(), '10.0.0.9');
  clusters.resolver.answers.set('api.test', { addresses: [], ttlMs: null });
  clusters.clock.advance(5100);
  await settle();
  assert.equal(address(), '10.0.0.9');
  assert.equal(clusters.stat('api', 'update_failure'), 1);
});
