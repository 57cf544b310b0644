// Retries, time limits, injected faults, circuit breakers and ejection through the real proxy.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { openClient } from '../../kit/client.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until } from '../../kit/until.ts';
import {
  after,
  closedPort,
  closeMidBody,
  echo,
  raw,
  reply,
  reset,
  type Step,
  stall,
  startUpstream,
  type Upstream,
} from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

async function proxyWith(
  context: TestContext,
  steps: readonly Step[],
  action: Json,
  more: { cluster?: Json; filters?: Json[]; manager?: Json; clock?: LeapClock } = {},
): Promise<{ proxy: TestProxy; upstream: Upstream }> {
  const upstream = await startUpstream(context, steps);
  const build = (logPath: string) => ({
    listeners: [
      listener(
        'main',
        httpManager([routeTo('a', action)], { logPath, filters: more.filters ?? [], manager: more.manager ?? {} }),
      ),
    ],
    clusters: [cluster('a', [upstream.port], more.cluster)],
  });
  return { proxy: await startTestProxy(context, build, more.clock), upstream };
}

const fast = { retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' } };

describe('retries', () => {
  it('follow the policy until a response is good', async (context) => {
    const retry_policy = { retry_on: '5xx', num_retries: 3, ...fast };
    const { proxy, upstream } = await proxyWith(context, [reply(500), reply(503), reply(200, { body: 'third' })], {
      retry_policy,
    });
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).text, 'third');
    assert.equal(upstream.requests.length, 3);
    assert.equal(proxy.stat('cluster.a.upstream_rq_retry'), 2);
    assert.equal(proxy.stat('cluster.a.upstream_rq_retry_success'), 1);
  });

  it('end with the last response when they are used up', async (context) => {
    const retry_policy = { retry_on: '5xx', num_retries: 2, ...fast };
    const { proxy, upstream } = await proxyWith(context, [reply(500), reply(502), reply(503, { body: 'last' })], {
      retry_policy,
    });
    const client = await openClient(context, proxy.port());
    const response = await client.fetch('GET', '/');
    assert.equal(response.status, 503);
    assert.equal(response.text, 'last');
    assert.equal(upstream.requests.length, 3);
    assert.match((await proxy.accessLog())[0] ?? '', /^503 URX /);
    assert.equal(proxy.stat('cluster.a.upstream_rq_retry_limit_exceeded'), 1);
    assert.equal(proxy.stat('cluster.a.upstream_rq_retry_success'), 0);
  });

  for (const [what, headers] of [
    ['the route lists', { 'x-envoy-retry-on': 'retriable-status-codes' }],
    [
      'the request lists',
      { 'x-envoy-retry-on': 'retriable-status-codes', 'x-envoy-retriable-status-codes': 'x, 500,409' },
    ],
  ] as const) {
    it(`are made for statuses that ${what}, when the request asks for it`, async (context) => {
      const retry_policy = { retry_on: 'reset', retriable_status_codes: [418], ...fast };
      const first = what === 'the route lists' ? 418 : 409;
      const { upstream, proxy } = await proxyWith(context, [reply(first), reply(200)], { retry_policy });
      const client = await openClient(context, proxy.port());
      assert.equal((await client.fetch('GET', '/', headers)).status, 200);
      assert.equal(upstream.requests.length, 2);
      assert.doesNotMatch(JSON.stringify(upstream.requests), /x-envoy-ret/);
      assert.equal((await client.fetch('GET', '/')).status, 200);
    });
  }

  it('leave other statuses alone', async (context) => {
    const retry_policy = {
      retry_on: 'gateway-error,retriable-status-codes',
      retriable_status_codes: [418],
      num_retries: 3,
      ...fast,
    };
    const { proxy, upstream } = await proxyWith(context, [reply(500), reply(418), reply(200)], { retry_policy });
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 500);
    assert.equal((await client.fetch('GET', '/')).status, 200);
    assert.equal(upstream.requests.length, 3);
  });

  it('repeat a request with its body', async (context) => {
    const retry_policy = { retry_on: 'reset', num_retries: 1, ...fast };
    const { proxy, upstream } = await proxyWith(context, [reset(), echo()], { retry_policy });
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('PUT', '/x', {}, 'the body')).text, 'PUT /x the body');
    assert.equal(upstream.requests.length, 2);
  });

  it('never repeat what may not be repeated, unless asked', async (context) => {
    const careful = await proxyWith(context, [reset(), echo()], {
      retry_policy: { retry_on: 'reset,5xx', num_retries: 3, ...fast },
    });
    const first = await openClient(context, careful.proxy.port());
    assert.equal((await first.fetch('POST', '/', {}, 'x')).status, 503);
    assert.equal(careful.upstream.requests.length, 1);
  });

  it('do not begin once a response has', async (context) => {
    const { proxy, upstream } = await proxyWith(context, [closeMidBody(), echo()], {
      retry_policy: { retry_on: 'reset,5xx', num_retries: 3, ...fast },
    });
    const client = await openClient(context, proxy.port());
    client.request('GET', '/');
    await client.closed();
    assert.equal(upstream.requests.length, 1);
  });

  it('go to another host after a connection failed, also for POST', async (context) => {
    const upstream = await startUpstream(context);
    const dead = await closedPort();
    const retry_policy = {
      retry_on: 'connect-failure',
      num_retries: 5,
      retry_host_predicate: [
        {
          name: 'envoy.retry_host_predicates.previous_hosts',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
          },
        },
      ],
      host_selection_retry_max_attempts: 5,
      ...fast,
    };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a', { retry_policy })]))],
      clusters: [cluster('a', [dead, upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    for (let i = 0; i < 10; i++) assert.equal((await client.fetch('POST', '/', {}, 'x')).status, 200);
    assert.equal(upstream.requests.length, 10);
  });

  it('before the request went out follow reset-before-request, and only those', async (context) => {
    const upstream = await startUpstream(context, [reset(), echo()]);
    const dead = await closedPort();
    const retry_policy = { retry_on: 'reset-before-request', num_retries: 9, ...fast };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a', { retry_policy })]))],
      clusters: [cluster('a', [dead, upstream.port], { lb_policy: 'ROUND_ROBIN' })],
    }));
    const client = await openClient(context, proxy.port());
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await client.fetch('POST', '/', {}, 'x')).status);
    assert.deepEqual(statuses, [503, 200, 200, 200]);
    assert.equal(upstream.requests.length, 4);
  });

  it('stay within the retry budget', async (context) => {
    const retry_policy = {
      retry_on: '5xx',
      num_retries: 1,
      retry_back_off: { base_interval: '0.2s', max_interval: '0.2s' },
    };
    const { proxy } = await proxyWith(context, [reply(503)], { retry_policy });
    const clients = await Promise.all(Array.from({ length: 20 }, () => openClient(context, proxy.port())));
    await Promise.all(clients.map((client) => client.fetch('GET', '/')));
    const overflow = proxy.stat('cluster.a.upstream_rq_retry_overflow');
    assert.ok(overflow > 0, 'twenty failures at once may not all be tried again');
    assert.equal(proxy.stat('cluster.a.upstream_rq_retry') + overflow, 20);
  });
});

describe('time limits', () => {
  it('of a route give 504', async (context) => {
    const { proxy } = await proxyWith(context, [stall()], { timeout: '0.05s' });
    const client = await openClient(context, proxy.port());
    const response = await client.fetch('GET', '/');
    assert.equal(response.status, 504);
    assert.equal(response.text, 'upstream request timeout');
    assert.match((await proxy.accessLog())[0] ?? '', /^504 UT /);
    assert.equal(proxy.stat('cluster.a.upstream_rq_timeout'), 1);
    await until('the attempt is given up', () => proxy.stat('cluster.a.upstream_rq_active') === 0);
  });

  it('of a try lead to the next', async (context) => {
    const retry_policy = { retry_on: '5xx', num_retries: 2, per_try_timeout: '0.05s', ...fast };
    const { proxy, upstream } = await proxyWith(context, [stall(), reply(200, { body: 'second' })], { retry_policy });
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).text, 'second');
    assert.equal(upstream.requests.length, 2);
    assert.equal(proxy.stat('cluster.a.upstream_rq_per_try_timeout'), 1);
  });

  it('of an idle try lead to the next, and do not end one that goes on', async (context) => {
    const retry_policy = { retry_on: '5xx', num_retries: 2, per_try_idle_timeout: '0.4s', ...fast };
    const slow: Step = (socket) => {
      const pieces = ['HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n', 'se', 'co', 'nd'];
      const sendNext = (): void => {
        const piece = pieces.shift();
        if (piece === undefined || socket.destroyed) return;
        socket.write(piece);
        setTimeout(sendNext, 150);
      };
      sendNext();
    };
    const { proxy, upstream } = await proxyWith(context, [stall(), slow, stall()], { retry_policy });
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).text, 'second');
    assert.equal(upstream.requests.length, 2);
    assert.equal(proxy.stat('cluster.a.upstream_rq_per_try_idle_timeout'), 1);
    assert.equal((await client.fetch('GET', '/')).status, 504);
    assert.match((await proxy.accessLog())[1] ?? '', /^504 UT,URX upstream_per_try_idle_timeout/);
  });

  it('of an idle try cut a response that has begun', async (context) => {
    const retry_policy = { retry_on: '5xx', num_retries: 2, per_try_idle_timeout: '0.05s', ...fast };
    const { proxy, upstream } = await proxyWith(context, [raw('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc')], {
      retry_policy,
    });
    const client = await openClient(context, proxy.port());
    client.request('GET', '/');
    await client.closed();
    assert.equal(upstream.requests.length, 1);
  });

  it('of a request head give 408', async (context) => {
    const { proxy } = await proxyWith(context, [echo()], {}, { manager: { request_headers_timeout: '0.05s' } });
    const client = await openClient(context, proxy.port());
    client.send('GET / HTTP/1.1\r\nhost:');
    assert.equal((await client.response()).status, 408);
    await client.closed();
  });

  it('of an idle connection end it in silence', async (context) => {
    const { proxy } = await proxyWith(
      context,
      [echo()],
      {},
      { manager: { common_http_protocol_options: { idle_timeout: '0.05s' } } },
    );
    const client = await openClient(context, proxy.port());
    await client.fetch('GET', '/');
    await client.closed();
    assert.equal(client.rest.length, 0);
    assert.equal(proxy.stat('http.test.downstream_cx_idle_timeout'), 1);
  });

  it('of an idle exchange give 504 before a response', async (context) => {
    const { proxy } = await proxyWith(
      context,
      [stall()],
      { timeout: '0s' },
      { manager: { stream_idle_timeout: '0.05s' } },
    );
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 504);
    assert.match((await proxy.accessLog())[0] ?? '', /^504 SI /);
  });

  const tries = { retry_policy: { retry_on: '5xx', num_retries: 1, per_try_timeout: '5s' } };
  for (const [whose, action, attempts] of [
    ['a route', { timeout: '5s' }, 1],
    ['a try', { timeout: '60s', ...tries }, 2],
  ] as const) {
    it(`of ${whose} hold for the answer to an upgrade`, async (context) => {
      const manager = { upgrade_configs: [{ upgrade_type: 'x' }] };
      const clock = new LeapClock();
      const { proxy, upstream } = await proxyWith(context, [stall()], action, { manager, clock });
      const client = await openClient(context, proxy.port());
      client.request('GET', '/', { connection: 'upgrade', upgrade: 'x' });
      for (let n = 1; n <= attempts; n++) {
        await upstream.request(n);
        // No longer: the next try has its time to connect.
        await clock.leap(5000);
      }
      assert.equal((await client.response()).status, 504);
      assert.equal(upstream.requests.length, attempts);
    });
  }

  it('do not touch an upgrade that is up', async (context) => {
    const { proxy } = await proxyWith(
      context,
      [
        (socket) => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
          socket.removeAllListeners('data');
          socket.on('data', (chunk: Buffer) => {
            socket.write(chunk);
          });
        },
      ],
      { timeout: '0.05s' },
      { manager: { upgrade_configs: [{ upgrade_type: 'x' }] } },
    );
    const client = await openClient(context, proxy.port());
    client.request('GET', '/', { connection: 'upgrade', upgrade: 'x' });
    assert.equal((await client.response()).status, 101);
    const passed = performance.now() + 120;
    await until('the limit has passed', () => performance.now() > passed);
    client.send('still there');
    assert.equal((await client.received(11)).toString(), 'still there');
  });
});

describe('fault injection', () => {
  const fault = (config: Json): Json => ({
    name: 'envoy.filters.http.fault',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault', ...config },
  });
  const always = { percentage: { numerator: 100 } };

  it('aborts with the status asked for', async (context) => {
    const { proxy, upstream } = await proxyWith(
      context,
      [echo()],
      {},
      { filters: [fault({ abort: { http_status: 555, ...always } })] },
    );
    const client = await openClient(context, proxy.port());
    const response = await client.fetch('GET', '/');
    assert.equal(response.status, 555);
    assert.equal(response.text, 'fault filter abort');
    assert.equal(upstream.requests.length, 0);
    assert.match((await proxy.accessLog())[0] ?? '', /^555 FI fault_filter_abort/);
  });

  it('delays, only those that match, and goes on', async (context) => {
    const config = {
      delay: { fixed_delay: '0.1s', ...always },
      headers: [{ name: 'end-user', string_match: { exact: 'jason' } }],
    };
    const { proxy, upstream } = await proxyWith(context, [echo()], {}, { filters: [fault(config)] });
    const client = await openClient(context, proxy.port());
    const startMs = performance.now();
    assert.equal((await client.fetch('POST', '/', { 'end-user': 'jason' }, 'held back')).text, 'POST / held back');
    assert.ok(performance.now() - startMs >= 95);
    await client.fetch('GET', '/');
    assert.equal(upstream.requests.length, 2);
    const lines = await proxy.accessLog();
    assert.match(lines[0] ?? '', /^200 DI /);
    assert.match(lines[1] ?? '', /^200 - /);
  });

  it('is still told of when the retries of a delayed request are used up', async (context) => {
    const { proxy } = await proxyWith(
      context,
      [reply(503)],
      { retry_policy: { retry_on: '5xx', num_retries: 1, ...fast } },
      { filters: [fault({ delay: { fixed_delay: '0.001s', ...always } })] },
    );
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 503);
    assert.match((await proxy.accessLog())[0] ?? '', /^503 DI,URX /);
  });

  it('hits its share', async (context) => {
    const { proxy } = await proxyWith(
      context,
      [echo()],
      {},
      { filters: [fault({ abort: { http_status: 503, percentage: { numerator: 50 } } })] },
    );
    const client = await openClient(context, proxy.port());
    let hits = 0;
    for (let i = 0; i < 300; i++) if ((await client.fetch('GET', '/')).status === 503) hits++;
    assert.ok(hits > 90 && hits < 210, `${hits} of 300`);
  });
});

describe('limits of a cluster', () => {
  it('refuse what goes beyond the circuit breaker', async (context) => {
    let open: (value: unknown) => void = () => {};
    const gate = new Promise((resolve) => {
      open = resolve;
    });
    const limits = { circuit_breakers: { thresholds: [{ max_requests: 1 }] } };
    const { proxy, upstream } = await proxyWith(context, [after(gate, echo()), echo()], {}, { cluster: limits });
    const [first, second] = [await openClient(context, proxy.port()), await openClient(context, proxy.port())];
    first.request('GET', '/1');
    await upstream.request(1);
    const refused = await second.fetch('GET', '/2');
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['x-envoy-overloaded'], 'true');
    assert.equal(proxy.stat('cluster.a.upstream_rq_active_overflow'), 1);
    assert.equal(proxy.stat('cluster.a.upstream_rq_pending_overflow'), 0);
    open(null);
    assert.equal((await first.response()).status, 200);
    assert.equal((await second.fetch('GET', '/3')).status, 200);
    assert.match((await proxy.accessLog())[0] ?? '', /^503 UO /);
  });

  it('eject a host that fails in a row', async (context) => {
    const bad = await startUpstream(context, [reply(500)]);
    const good = await startUpstream(context, [reply(200)]);
    const ejection = {
      outlier_detection: { consecutive_5xx: 3, max_ejection_percent: 100, base_ejection_time: '60s', interval: '60s' },
    };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [bad.port, good.port], ejection)],
    }));
    const client = await openClient(context, proxy.port());
    for (let i = 0; i < 30; i++) await client.fetch('GET', '/');
    assert.equal(bad.requests.length, 3);
    assert.equal(good.requests.length, 27);
    assert.equal(proxy.stat('cluster.a.outlier_detection.ejections_active'), 1);
    assert.match((await proxy.admin('GET', '/clusters')).body, /health_flags::\/failed_outlier_check/);
  });
});

describe('an attempt after another', () => {
  const patient = { retry_on: '5xx', num_retries: 1, retry_back_off: { base_interval: '2s', max_interval: '2s' } };

  for (const [what, left, status] of [
    ['was replaced goes to the hosts of the new one', true, 200],
    ['is gone has nowhere to go', false, 503],
  ] as const) {
    it(`whose cluster ${what}`, async (context) => {
      const clock = new LeapClock();
      const [old, fresh] = [await startUpstream(context, [reply(503)]), await startUpstream(context, [reply(200)])];
      const proxy = await startTestProxy(
        context,
        () => ({
          listeners: [listener('main', httpManager([routeTo('a', { retry_policy: patient })]))],
          clusters: [cluster('a', [old.port])],
        }),
        clock,
      );
      const client = await openClient(context, proxy.port());
      client.request('GET', '/');
      await until('it is to be tried again', () => proxy.stat('cluster.a.upstream_rq_retry') === 1);
      const message = messageFromJson('envoy.config.cluster.v3.Cluster', cluster('a', [fresh.port]), []);
      const change = left
        ? proxy.running.clusters.prepare(new Map([['a', message]]), [], '2')
        : proxy.running.clusters.prepare(new Map(), ['a'], '2');
      change.commit();
      await clock.leap(3000);
      assert.equal((await client.response()).status, status);
      assert.equal(old.requests.length, 1);
    });
  }

  it('has its time-out from when the request was sent', async (context) => {
    const clock = new LeapClock();
    const policy = { retry_on: '5xx', num_retries: 0, per_try_timeout: '5s' };
    const upstream = await startUpstream(context, [reply(200), stall()]);
    const proxy = await startTestProxy(
      context,
      () => ({
        listeners: [listener('main', httpManager([routeTo('a', { timeout: '0s', retry_policy: policy })]))],
        clusters: [cluster('a', [upstream.port])],
      }),
      clock,
    );
    const client = await openClient(context, proxy.port());
    client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\na');
    // Not only the connection attempt, which has a time-out of its own.
    await until('it is under way', () => proxy.stat('cluster.a.upstream_cx_http1_total') === 1);
    await clock.leap(20_000);
    client.send('b');
    assert.equal((await client.response()).status, 200);
    client.request('POST', '/', {}, 'ab');
    await upstream.request(2);
    await clock.leap(6000);
    assert.equal((await client.response()).status, 504);
  });
});
