import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import { anyRequest, SampleClusters } from '../../../test/kit/clusters.ts';
import type { Cluster } from './cluster.ts';
import type { Host } from './host.ts';
import { parseDestination } from './original-dst.ts';

function setUp(more: object = {}): SampleClusters {
  const clusters = new SampleClusters();
  clusters.put({ name: 'pass', type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED', ...more });
  return clusters;
}

function pick(cluster: Cluster, originalDestination: string | null, header?: string): Host | null {
  const headers = header === undefined ? Headers.of() : Headers.of('x-envoy-original-dst-host', header);
  return cluster.pick({ ...anyRequest, originalDestination, headers });
}

test('reads addresses and names with ports, and nothing else', () => {
  assert.deepEqual(parseDestination('1.2.3.4:80'), { address: '1.2.3.4', port: 80 });
  assert.deepEqual(parseDestination('[::1]:443'), { address: '::1', port: 443 });
  assert.deepEqual(parseDestination('api.test:443'), { address: 'api.test', port: 443 });
  for (const text of ['', '1.2.3.4', ':80', '1.2.3.4:0', '1.2.3.4:65536', '[api]:80', '::1:80', 'a b:80', null])
    assert.equal(parseDestination(text), null);
});

test('makes one host per destination and finds it again', () => {
  const cluster = setUp().get('pass');
  const host = pick(cluster, '127.0.0.1:8080');
  assert.deepEqual([host?.address, host?.port, host?.key], ['127.0.0.1', 8080, '127.0.0.1:8080']);
  assert.equal(pick(cluster, '127.0.0.1:8080'), host);
  assert.equal(pick(cluster, 'api.test:443')?.hostname, 'api.test');
  assert.equal(pick(cluster, null), null);
  assert.equal(cluster.allHosts().length, 2);
});

test('follows the header only where that is enabled, and only to addresses', () => {
  const plain = setUp().get('pass');
  assert.equal(pick(plain, '127.0.0.1:80', '127.0.0.2:90')?.key, '127.0.0.1:80');
  const byHeader = setUp({ original_dst_lb_config: { use_http_header: true } });
  const cluster = byHeader.get('pass');
  assert.equal(pick(cluster, '127.0.0.1:80', '127.0.0.2:90')?.key, '127.0.0.2:90');
  assert.equal(pick(cluster, '127.0.0.1:80')?.key, '127.0.0.1:80');
  assert.equal(pick(cluster, '127.0.0.1:80', 'evil.test:90'), null);
  assert.equal(pick(cluster, '127.0.0.1:80', 'nonsense'), null);
  assert.equal(byHeader.stat('pass', 'original_dst_host_invalid'), 2);
});

for (const name of [':authority', 'host', 'Host']) {
  test(`follows the authority of a request where the header is ${name}`, () => {
    const clusters = setUp({ original_dst_lb_config: { use_http_header: true, http_header_name: name } });
    const cluster = clusters.get('pass');
    const to = (authority?: string) =>
      cluster.pick({
        ...anyRequest,
        originalDestination: '127.0.0.1:80',
        ...(authority === undefined ? {} : { authority }),
      });
    assert.equal(to('127.0.0.2:90')?.key, '127.0.0.2:90');
    assert.equal(to('api.test:90'), null);
    assert.equal(to()?.key, '127.0.0.1:80', 'a TCP connection has none');
    assert.equal(clusters.stat('pass', 'original_dst_host_invalid'), 1);
  });
}

test('takes names from the header where the control plane says so, with port 80 unless they say another', () => {
  const cluster = setUp({
    original_dst_lb_config: { use_http_header: true },
    metadata: { filter_metadata: { 'weft.dev': { takesNames: true } } },
  }).get('pass');
  assert.deepEqual(
    ['api.test:90', 'api.test', '127.0.0.1', '[::1]', '[::1]:90', ''].map((text) => pick(cluster, null, text)?.key),
    ['api.test:90', 'api.test:80', '127.0.0.1:80', '[::1]:80', '[::1]:90', undefined],
  );
});

test('replaces the port where told to', () => {
  const cluster = setUp({ original_dst_lb_config: { upstream_port_override: 15_008 } }).get('pass');
  assert.equal(pick(cluster, '127.0.0.1:80')?.key, '127.0.0.1:15008');
});

test('forgets hosts that were idle for a whole interval, never busy ones', () => {
  const clusters = setUp({ cleanup_interval: '10s' });
  const cluster = clusters.get('pass');
  const idle = pick(cluster, '127.0.0.1:1');
  const busy = pick(cluster, '127.0.0.1:2');
  busy?.onRequestStart();
  clusters.clock.advance(10_100);
  assert.equal(idle?.removed, false);
  clusters.clock.advance(10_100);
  assert.deepEqual([idle?.removed, busy?.removed], [true, false]);
  assert.deepEqual(cluster.allHosts(), [busy]);
  assert.notEqual(pick(cluster, '127.0.0.1:1'), idle);
});

test('keeps the number of hosts bounded by forgetting the one unused for longest', () => {
  const cluster = setUp().get('pass');
  const first = pick(cluster, '10.0.0.1:1');
  first?.onRequestStart();
  const second = pick(cluster, '10.0.0.1:2');
  for (let port = 3; port <= 4097; port++) pick(cluster, `10.0.0.1:${port}`);
  assert.equal(cluster.allHosts().length, 4096);
  assert.deepEqual([first?.removed, second?.removed], [false, true]);
});

test('drains every host when the cluster goes', () => {
  const clusters = setUp();
  const host = pick(clusters.get('pass'), '127.0.0.1:80');
  clusters.set.prepare(new Map(), ['pass'], 'v2').commit();
  assert.equal(host?.removed, true);
  assert.equal(clusters.set.get('pass'), null);
});
