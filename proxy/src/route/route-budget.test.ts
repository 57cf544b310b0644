// What a request costs in memory: finding its route and host makes nothing that the collector has to take away.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Headers } from '@weft/lib/header';
import { anyRequest, SampleClusters, staticCluster } from '../../../test/kit/clusters.ts';
import { makeTable, request, to } from '../../../test/kit/routes.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const rounds = 100_000;

/** Bytes per call, the least of a few attempts: whatever else the process does may only add. */
function bytesPerCall(call: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5; attempt++) {
    for (let i = 0; i < 10_000; i++) call();
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < rounds; i++) call();
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / rounds);
  }
  return least;
}

test('matching a request against hosts, paths and headers allocates nothing', () => {
  const headers = { headers: [{ name: 'end-user', string_match: { exact: 'jason' } }] };
  const routes = [to('a', { path: '/one' }), to('b', { prefix: '/', ...headers }), to('c', { prefix: '/api/' })];
  const table = makeTable({
    name: 'test',
    virtual_hosts: [
      { name: 'web', domains: ['web.test', 'web.test:80'], routes },
      { name: 'rest', domains: ['*'], routes: [] },
    ],
  });
  const sent = request({ path: '/api/items?id=1', headers: Headers.of('accept', '*/*', 'end-user', 'other') });
  assert.equal(table.match(sent)?.name, 'c');
  const bytes = bytesPerCall(() => table.match(sent));
  assert.ok(bytes < 4, `${bytes} bytes per request`);
});

test('choosing among weighted clusters allocates next to nothing', () => {
  const weighted = {
    clusters: [
      { name: 'v1', weight: 90 },
      { name: 'v2', weight: 10 },
    ],
  };
  const table = makeTable({
    name: 'test',
    virtual_hosts: [
      { name: 'web', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { weighted_clusters: weighted } }] },
    ],
  });
  const sent = request();
  const bytes = bytesPerCall(() => table.match(sent)?.pickCluster(sent));
  // The draw may be boxed.
  assert.ok(bytes < 40, `${bytes} bytes per request`);
});

for (const policy of ['ROUND_ROBIN', 'LEAST_REQUEST', 'RANDOM', 'RING_HASH', 'MAGLEV']) {
  test(`picking a host by ${policy} allocates next to nothing`, () => {
    const clusters = new SampleClusters();
    clusters.put(staticCluster('web', ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'], { lb_policy: policy }));
    const web = clusters.get('web');
    const context = { ...anyRequest, hash: 12_345 };
    // A random number that leaves the optimised code may be boxed: 16 bytes each.
    const bytes = bytesPerCall(() => web.pick(context));
    assert.ok(bytes < 40, `${bytes} bytes per pick`);
  });
}
