import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignment, countPicks, hostOf, SampleClusters, staticCluster } from '../../../../test/kit/clusters.ts';
import { fault } from '../../fault/fault.ts';

const addresses = Array.from({ length: 10 }, (_, i) => `10.0.0.${i + 1}:80`);

function setUp(outlier: object = {}, count = 10): SampleClusters {
  const clusters = new SampleClusters();
  clusters.put(staticCluster('web', addresses.slice(0, count), { outlier_detection: outlier }));
  return clusters;
}

function answer(clusters: SampleClusters, host: number, status: number, times = 1): void {
  for (let i = 0; i < times; i++) hostOf(clusters.get('web'), `10.0.0.${host}:80`).onRequestResult(status);
}

function ejected(clusters: SampleClusters): string[] {
  return clusters
    .get('web')
    .hosts.filter((host) => !host.healthy)
    .map((host) => host.address);
}

function outlierStat(clusters: SampleClusters, name: string): number {
  return clusters.stat('web', `outlier_detection.${name}`);
}

test('ejects after five server errors in a row and picks the host no more', () => {
  const clusters = setUp();
  answer(clusters, 1, 500, 4);
  assert.deepEqual(ejected(clusters), []);
  answer(clusters, 1, 500);
  assert.deepEqual(ejected(clusters), ['10.0.0.1']);
  assert.equal(countPicks(clusters.get('web'), 100)['10.0.0.1:80'], undefined);
  assert.equal(outlierStat(clusters, 'ejections_active'), 1);
  assert.equal(outlierStat(clusters, 'ejections_enforced_total'), 1);
  assert.equal(outlierStat(clusters, 'ejections_enforced_consecutive_5xx'), 1);
  assert.equal(clusters.stat('web', 'membership_healthy'), 9);
});

test('a limit of 0 ejects nobody', () => {
  const limits = { consecutive_5xx: 0, consecutive_gateway_failure: 0, enforcing_consecutive_gateway_failure: 100 };
  const clusters = setUp(limits);
  answer(clusters, 1, 503, 20);
  const split = setUp({ ...limits, split_external_local_origin_errors: true, consecutive_local_origin_failure: 0 });
  for (let i = 0; i < 20; i++) hostOf(split.get('web'), '10.0.0.1:80').onConnectResult(false);
  assert.deepEqual([ejected(clusters), ejected(split)], [[], []]);
});

test('a success in between starts the count anew', () => {
  const clusters = setUp();
  answer(clusters, 1, 500, 4);
  answer(clusters, 1, 200);
  answer(clusters, 1, 500, 4);
  assert.deepEqual(ejected(clusters), []);
});

test('brings a host back after base time times ejections, at the end of an interval', () => {
  const clusters = setUp();
  answer(clusters, 1, 503, 5);
  clusters.clock.advance(29_000);
  assert.deepEqual(ejected(clusters), ['10.0.0.1']);
  clusters.clock.advance(1100);
  assert.deepEqual(ejected(clusters), []);
  assert.equal(outlierStat(clusters, 'ejections_active'), 0);
  answer(clusters, 1, 503, 5);
  clusters.clock.advance(69_800);
  assert.deepEqual(ejected(clusters), ['10.0.0.1']);
  clusters.clock.advance(200);
  assert.deepEqual(ejected(clusters), []);
});

test('forgives one past ejection per quiet interval', () => {
  const clusters = setUp({ base_ejection_time: '10s' });
  answer(clusters, 1, 503, 5);
  clusters.clock.advance(10_100);
  assert.deepEqual(ejected(clusters), []);
  clusters.clock.advance(20_000);
  answer(clusters, 1, 503, 5);
  clusters.clock.advance(20_000);
  assert.deepEqual(ejected(clusters), []);
});

test('no ejection lasts longer than its maximum', () => {
  const clusters = setUp({ base_ejection_time: '100s', max_ejection_time: '150s', interval: '1s' });
  for (let round = 0; round < 2; round++) {
    answer(clusters, 1, 503, 5);
    clusters.clock.advance(round === 0 ? 100_050 : 149_000);
  }
  assert.deepEqual(ejected(clusters), ['10.0.0.1']);
  clusters.clock.advance(2100);
  assert.deepEqual(ejected(clusters), []);
});

test('ejects no more than the maximum share, and counts what it did not', () => {
  const clusters = setUp({ max_ejection_percent: 20 });
  for (const host of [1, 2, 3]) answer(clusters, host, 500, 5);
  assert.deepEqual(ejected(clusters), ['10.0.0.1', '10.0.0.2']);
  assert.equal(outlierStat(clusters, 'ejections_overflow'), 1);
});

test('ejects one host of few although the share is smaller, unless told never to', () => {
  const few = setUp({}, 3);
  answer(few, 1, 500, 5);
  answer(few, 2, 500, 5);
  assert.deepEqual(ejected(few), ['10.0.0.1']);
  for (const outlier of [{ max_ejection_percent: 0 }, { always_eject_one_host: false }]) {
    const none = setUp(outlier, 3);
    answer(none, 1, 500, 5);
    assert.deepEqual(ejected(none), []);
  }
});

test('gateway failures eject only where that is enforced', () => {
  const byDefault = setUp({ consecutive_5xx: 100 });
  answer(byDefault, 1, 502, 6);
  assert.deepEqual(ejected(byDefault), []);
  assert.equal(outlierStat(byDefault, 'ejections_detected_consecutive_gateway_failure'), 1);
  const enforced = setUp({
    consecutive_5xx: 100,
    consecutive_gateway_failure: 3,
    enforcing_consecutive_gateway_failure: 100,
  });
  answer(enforced, 1, 502, 2);
  answer(enforced, 1, 500);
  answer(enforced, 1, 504, 2);
  assert.deepEqual(ejected(enforced), []);
  answer(enforced, 1, 503);
  assert.deepEqual(ejected(enforced), ['10.0.0.1']);
});

test('enforcement is a chance', () => {
  const clusters = setUp({ enforcing_consecutive_5xx: 50, max_ejection_percent: 100 });
  for (let host = 1; host <= 10; host++) answer(clusters, host, 500, 5);
  const count = ejected(clusters).length;
  assert.ok(count > 0 && count < 10, String(count));
  assert.equal(outlierStat(clusters, 'ejections_detected_consecutive_5xx'), 10);
});

test('connections that fail count like answers, unless the two are split', () => {
  const joined = setUp();
  for (let i = 0; i < 5; i++) hostOf(joined.get('web'), '10.0.0.1:80').onConnectResult(false);
  assert.deepEqual(ejected(joined), ['10.0.0.1']);
  const split = setUp({ split_external_local_origin_errors: true, consecutive_local_origin_failure: 3 });
  const host = hostOf(split.get('web'), '10.0.0.1:80');
  host.onConnectResult(false);
  host.onConnectResult(false);
  answer(split, 1, 500, 4);
  assert.deepEqual(ejected(split), []);
  host.onConnectResult(false);
  host.onConnectResult(false);
  host.onConnectResult(false);
  assert.deepEqual(ejected(split), ['10.0.0.1']);
  assert.equal(outlierStat(split, 'ejections_enforced_consecutive_local_origin_failure'), 1);
});

test("resets and time-outs of requests count, failures that are not the host's do not", () => {
  const clusters = setUp();
  const host = hostOf(clusters.get('web'), '10.0.0.1:80');
  for (let i = 0; i < 10; i++) {
    host.onRequestFailed(fault.downstream_reset);
    host.onRequestFailed(fault.breaker_open);
    host.onRequestFailed(fault.connect_failed);
  }
  assert.deepEqual(ejected(clusters), []);
  for (const reason of [
    fault.upstream_reset,
    fault.upstream_closed,
    fault.request_timeout,
    fault.per_try_timeout,
    fault.upstream_reset,
  ]) {
    host.onRequestFailed(reason);
  }
  assert.deepEqual(ejected(clusters), ['10.0.0.1']);
});

test('a connection for which this process had no file descriptor is no failure of the host', () => {
  const clusters = setUp();
  const host = hostOf(clusters.get('web'), '10.0.0.1:80');
  for (let i = 0; i < 10; i++) host.onConnectFailed(fault.overload);
  assert.deepEqual(ejected(clusters), []);
  for (let i = 0; i < 10; i++) host.onConnectFailed(fault.connect_failed);
  assert.deepEqual(ejected(clusters), ['10.0.0.1']);
});

test('a raw connection that stands counts as a success', () => {
  const clusters = setUp();
  const host = hostOf(clusters.get('web'), '10.0.0.1:80');
  for (let i = 0; i < 4; i++) host.onTcpConnectResult(false);
  host.onTcpConnectResult(true);
  for (let i = 0; i < 4; i++) host.onTcpConnectResult(false);
  assert.deepEqual(ejected(clusters), []);
});

test('ejects a host whose success rate falls far below the others', () => {
  const clusters = setUp({ consecutive_5xx: 1000, interval: '10s' });
  for (let host = 1; host <= 10; host++) {
    for (let i = 0; i < 100; i++) answer(clusters, host, host === 7 && i % 2 === 0 ? 500 : 200);
  }
  clusters.clock.advance(10_100);
  assert.deepEqual(ejected(clusters), ['10.0.0.7']);
  assert.equal(outlierStat(clusters, 'ejections_enforced_success_rate'), 1);
});

test('judges no success rate by too few requests or hosts', () => {
  for (const [requests, hosts] of [
    [99, 10],
    [100, 4],
  ] as const) {
    const clusters = setUp({ consecutive_5xx: 1000 }, hosts);
    for (let host = 1; host <= hosts; host++) answer(clusters, host, host === 1 ? 500 : 200, requests);
    clusters.clock.advance(10_100);
    assert.deepEqual(ejected(clusters), []);
  }
});

test('ejects by failure percentage where that is enforced', () => {
  const clusters = setUp({
    consecutive_5xx: 1000,
    enforcing_success_rate: 0,
    enforcing_failure_percentage: 100,
    max_ejection_percent: 50,
  });
  for (let host = 1; host <= 10; host++) {
    for (let i = 0; i < 50; i++) answer(clusters, host, host <= 2 && i % 10 !== 0 ? 500 : 200);
  }
  clusters.clock.advance(10_100);
  assert.deepEqual(ejected(clusters), ['10.0.0.1', '10.0.0.2']);
  assert.equal(outlierStat(clusters, 'ejections_enforced_failure_percentage'), 2);
});

test('a removed host is watched no more and frees its place', () => {
  const clusters = new SampleClusters();
  const eds = { name: 'web', type: 'EDS', eds_cluster_config: { eds_config: { ads: {} } }, outlier_detection: {} };
  const put = (count: number): void =>
    clusters.putEndpoints('web', {
      cluster_name: 'web',
      endpoints: [
        {
          lb_endpoints: addresses.slice(0, count).map((address) => ({
            endpoint: { address: { socket_address: { address: address.slice(0, -3), port_value: 80 } } },
          })),
        },
      ],
    });
  clusters.put(eds);
  put(3);
  answer(clusters, 3, 500, 5);
  assert.equal(outlierStat(clusters, 'ejections_active'), 1);
  put(2);
  assert.equal(outlierStat(clusters, 'ejections_active'), 0);
  answer(clusters, 2, 500, 5);
  assert.deepEqual(ejected(clusters), ['10.0.0.2']);
});

test('a host that is gone is not ejected by what it still had to answer', () => {
  const clusters = new SampleClusters();
  const eds = { name: 'web', type: 'EDS', eds_cluster_config: { eds_config: { ads: {} } }, outlier_detection: {} };
  clusters.put(eds);
  clusters.putEndpoints('web', assignment('web', addresses));
  const gone = hostOf(clusters.get('web'), '10.0.0.1:80');
  clusters.putEndpoints('web', assignment('web', addresses.slice(1)));
  for (let i = 0; i < 5; i++) gone.onRequestResult(500);
  assert.equal(outlierStat(clusters, 'ejections_active'), 0);
  answer(clusters, 2, 500, 5);
  assert.deepEqual(ejected(clusters), ['10.0.0.2']);
});
