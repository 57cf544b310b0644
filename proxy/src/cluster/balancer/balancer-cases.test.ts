// One suite for every balancer: what each must do, whatever its algorithm.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  anyRequest,
  assignment,
  countPicks,
  endpoint,
  hostOf,
  SampleClusters,
  staticCluster,
} from '../../../../test/kit/clusters.ts';
import { hashText } from '../hash.ts';

const algorithms: Readonly<Record<string, object>> = {
  'round robin': {},
  random: { lb_policy: 'RANDOM' },
  'least request': { lb_policy: 'LEAST_REQUEST' },
  'least request with a full scan': typed('least_request.v3.LeastRequest', { selection_method: 'FULL_SCAN' }),
  'ring hash': { lb_policy: 'RING_HASH' },
  maglev: { lb_policy: 'MAGLEV' },
  'round robin by its typed policy': typed('round_robin.v3.RoundRobin', {}),
};

function typed(name: string, config: object): object {
  const typedConfig = { '@type': `type.googleapis.com/envoy.extensions.load_balancing_policies.${name}`, ...config };
  return { load_balancing_policy: { policies: [{ typed_extension_config: { name, typed_config: typedConfig } }] } };
}

const four = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80'];

function spread(i: number): typeof anyRequest {
  return { ...anyRequest, hash: hashText(`request ${i}`) };
}

function locality(zone: string, weight: number, endpoints: readonly object[]): object {
  return { locality: { region: 'r', zone }, load_balancing_weight: weight, lb_endpoints: endpoints };
}

for (const [name, more] of Object.entries(algorithms)) {
  const setUp = (endpoints: readonly unknown[]): SampleClusters => {
    const clusters = new SampleClusters();
    clusters.put(staticCluster('web', endpoints, more));
    return clusters;
  };

  test(`${name}: picks nothing where there is nothing`, () => {
    assert.equal(setUp([]).get('web').pick(anyRequest), null);
  });

  test(`${name}: picks the only host every time`, () => {
    assert.deepEqual(countPicks(setUp(['10.0.0.1:80']).get('web'), 20), { '10.0.0.1:80': 20 });
  });

  test(`${name}: spreads requests over equal hosts`, () => {
    const counts = countPicks(setUp(four).get('web'), 4000, spread);
    assert.deepEqual(Object.keys(counts).sort(), four);
    for (const count of Object.values(counts)) assert.ok(count > 750 && count < 1250, JSON.stringify(counts));
  });

  test(`${name}: leaves out what EDS calls unhealthy, draining or timed out`, () => {
    const endpoints = [
      endpoint('10.0.0.1:80', { health_status: 'HEALTHY' }),
      endpoint('10.0.0.2:80', { health_status: 'UNHEALTHY' }),
      endpoint('10.0.0.3:80', { health_status: 'UNKNOWN' }),
      endpoint('10.0.0.4:80', { health_status: 'DRAINING' }),
      '10.0.0.5:80',
    ];
    const counts = countPicks(setUp(endpoints).get('web'), 300, spread);
    assert.deepEqual(Object.keys(counts).sort(), ['10.0.0.1:80', '10.0.0.3:80', '10.0.0.5:80']);
  });

  test(`${name}: uses every host in panic, when fewer than half are healthy`, () => {
    const endpoints = four.map((address, i) => endpoint(address, { health_status: i === 0 ? 'HEALTHY' : 'UNHEALTHY' }));
    const clusters = setUp(endpoints);
    assert.equal(Object.keys(countPicks(clusters.get('web'), 400, spread)).length, 4);
    assert.equal(clusters.get('web').isPanicking, true);
  });

  test(`${name}: without panic sends nothing to unhealthy hosts`, () => {
    const clusters = new SampleClusters();
    const endpoints = four.map((address) => endpoint(address, { health_status: 'UNHEALTHY' }));
    const config = staticCluster('web', endpoints, {
      ...more,
      common_lb_config: { healthy_panic_threshold: { value: 0 } },
    });
    clusters.put(config);
    assert.equal(clusters.get('web').pick(anyRequest), null);
  });

  test(`${name}: a retry finds another host`, () => {
    const cluster = setUp(four).get('web');
    let same = 0;
    for (let i = 0; i < 200; i++) {
      const context = spread(i);
      const first = cluster.pick(context);
      assert.ok(first);
      if (cluster.pick({ ...context, attempted: [first], hostAttempts: 10 }) === first) same++;
    }
    assert.ok(same <= 2, String(same));
  });

  test(`${name}: fails over to the next priority by what health remains`, () => {
    const clusters = new SampleClusters();
    const group = (priority: number, addresses: readonly string[], healthy: number): object => ({
      priority,
      lb_endpoints: addresses.map((address, i) =>
        endpoint(address, { health_status: i < healthy ? 'HEALTHY' : 'UNHEALTHY' }),
      ),
    });
    const near = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80'];
    const far = ['10.1.0.1:80', '10.1.0.2:80'];
    const config = {
      name: 'web',
      ...more,
      load_assignment: { cluster_name: 'web', endpoints: [group(0, near, 2), group(1, far, 2)] },
    };
    clusters.put(config);
    const counts = countPicks(clusters.get('web'), 10_000, spread);
    const atNear = near.reduce((sum, address) => sum + (counts[address] ?? 0), 0);
    // Half of the hosts, times 1.4, can carry 70 per cent.
    assert.ok(atNear > 6700 && atNear < 7300, JSON.stringify(counts));
  });

  test(`${name}: sends nothing to a lower priority while the first is well`, () => {
    const clusters = new SampleClusters();
    const groups = [
      {
        priority: 0,
        lb_endpoints: four.map((address, i) => endpoint(address, { health_status: i === 0 ? 'UNHEALTHY' : 'HEALTHY' })),
      },
      { priority: 1, lb_endpoints: [endpoint('10.1.0.1:80')] },
    ];
    clusters.put({ name: 'web', ...more, load_assignment: { cluster_name: 'web', endpoints: groups } });
    assert.equal(countPicks(clusters.get('web'), 500, spread)['10.1.0.1:80'], undefined);
  });

  test(`${name}: turns to degraded hosts for what healthy ones cannot carry`, () => {
    const states = ['HEALTHY', 'DEGRADED', 'UNHEALTHY', 'UNHEALTHY'];
    const endpoints = four.map((address, i) => endpoint(address, { health_status: states[i] }));
    const config = staticCluster('web', endpoints, {
      ...more,
      common_lb_config: { healthy_panic_threshold: { value: 0 } },
    });
    const clusters = new SampleClusters();
    clusters.put(config);
    const counts = countPicks(clusters.get('web'), 10_000, spread);
    assert.deepEqual(Object.keys(counts).sort(), ['10.0.0.1:80', '10.0.0.2:80']);
    // 35 per cent each of the 70 there are.
    assert.ok(Math.abs((counts['10.0.0.1:80'] ?? 0) - 5000) < 400, JSON.stringify(counts));
  });

  /** Picks by address from localities that are weighed. */
  const countByLocality = (endpoints: readonly object[]): Record<string, number> => {
    const clusters = new SampleClusters();
    const own = 'load_balancing_policy' in more ? {} : more;
    clusters.put({
      name: 'web',
      ...own,
      common_lb_config: { locality_weighted_lb_config: {} },
      load_assignment: { cluster_name: 'web', endpoints },
    });
    return countPicks(clusters.get('web'), 8000, spread);
  };

  test(`${name}: weighs localities where that is asked for`, () => {
    const counts = countByLocality([
      locality('a', 3, [endpoint('10.0.0.1:80'), endpoint('10.0.0.2:80')]),
      locality('b', 1, [endpoint('10.1.0.1:80'), endpoint('10.1.0.2:80')]),
      locality('c', 0, [endpoint('10.2.0.1:80')]),
    ]);
    assert.equal(counts['10.2.0.1:80'], undefined);
    const inA = (counts['10.0.0.1:80'] ?? 0) + (counts['10.0.0.2:80'] ?? 0);
    assert.ok(Math.abs(inA - 6000) < 500, JSON.stringify(counts));
  });

  test(`${name}: weighs no localities in panic`, () => {
    const down = { health_status: 'UNHEALTHY' };
    const counts = countByLocality([
      locality('a', 9, [endpoint('10.0.0.1:80', down), endpoint('10.0.0.2:80', down)]),
      locality('b', 1, [endpoint('10.1.0.1:80'), endpoint('10.1.0.2:80', down)]),
    ]);
    const inA = (counts['10.0.0.1:80'] ?? 0) + (counts['10.0.0.2:80'] ?? 0);
    assert.ok(Math.abs(inA - 4000) < 800, JSON.stringify(counts));
  });

  test(`${name}: an update keeps hosts, drains the removed and uses the new`, () => {
    const clusters = new SampleClusters();
    const eds = { name: 'web', type: 'EDS', eds_cluster_config: { eds_config: { ads: {} } }, ...more };
    clusters.put(eds);
    clusters.putEndpoints('web', assignment('web', ['10.0.0.1:80', '10.0.0.2:80']));
    const cluster = clusters.get('web');
    const [kept, gone] = [hostOf(cluster, '10.0.0.1:80'), hostOf(cluster, '10.0.0.2:80')];
    let told = 0;
    gone.onRemoved = () => told++;
    clusters.putEndpoints('web', assignment('web', ['10.0.0.1:80', '10.0.0.3:80']));
    assert.equal(hostOf(cluster, '10.0.0.1:80'), kept);
    assert.deepEqual([kept.removed, gone.removed, told], [false, true, 1]);
    assert.deepEqual(Object.keys(countPicks(cluster, 200, spread)).sort(), ['10.0.0.1:80', '10.0.0.3:80']);
  });
}

const weighted = ['round robin', 'least request', 'ring hash', 'maglev'];

for (const name of weighted) {
  test(`${name}: gives hosts their share by weight`, () => {
    const clusters = new SampleClusters();
    const endpoints = [1, 2, 5].map((weight, i) => endpoint(`10.0.0.${i + 1}:80`, { load_balancing_weight: weight }));
    clusters.put(staticCluster('web', endpoints, algorithms[name]));
    const counts = countPicks(clusters.get('web'), 16_000, spread);
    const shares = [2000, 4000, 10_000];
    shares.forEach((share, i) => {
      const count = counts[`10.0.0.${i + 1}:80`] ?? 0;
      assert.ok(Math.abs(count - share) < share * 0.2, JSON.stringify(counts));
    });
  });
}
