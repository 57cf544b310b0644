import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { Scope } from '@weft/lib/metrics';
import { messageFromJson, packAny } from '@weft/lib/protobuf/codec';
import { seededRandom } from '../../../../test/kit/clusters.ts';
import type { Fault } from '../../fault/fault.ts';
import type { Stream } from '../../stream/stream.ts';
import { CONTINUE, STOP } from '../filter.ts';
import { compileFault, compileFaultOverride } from './config.ts';
import type { FaultFilter } from './filter.ts';

const typeName = 'envoy.extensions.filters.http.fault.v3.HTTPFault';
const always = { numerator: 100, denominator: 'HUNDRED' };

function pack(config: object): ReturnType<typeof packAny> {
  const issues: Issue[] = [];
  const message = messageFromJson(typeName, config, issues);
  assert.deepEqual(issues, []);
  return packAny(typeName, message);
}

class FakeStream {
  readonly method = 'GET';
  readonly path = '/';
  readonly authority = 'a.test';
  readonly scheme = 'http';
  readonly requestHeaders: Headers;
  readonly filterState: unknown[] = [undefined];
  readonly failures: [fault: Fault, details: string, status: number][] = [];
  extraFlags = '';
  continued = 0;
  override: unknown = null;
  cluster = 'web';

  constructor(...pairs: string[]) {
    this.requestHeaders = Headers.of(...pairs);
  }

  routeConfig(): unknown {
    return this.override;
  }

  resolveRoute(): { pickCluster(): string } {
    return { pickCluster: () => this.cluster };
  }

  continueRequest(): void {
    this.continued++;
  }

  fail(reason: Fault, details: string, status: number): void {
    this.failures.push([reason, details, status]);
  }
}

class Bench {
  readonly clock: PausedClock = new PausedClock();
  readonly scope: Scope = new Scope({ prefix: 'http' });
  readonly filter: FaultFilter;

  constructor(config: object) {
    const { clock, scope } = this;
    const issues: Issue[] = [];
    const filter = compileFault(pack(config), 'fault', { clock, scope, issues, path: '', random: seededRandom(7) });
    assert.deepEqual(issues, []);
    assert.ok(filter);
    filter.slot = 0;
    this.filter = filter;
  }

  run(stream: FakeStream): number {
    return this.filter.onRequestHead(stream as unknown as Stream, true);
  }

  end(stream: FakeStream): void {
    this.filter.onComplete(stream as unknown as Stream);
  }

  stat(name: string): number {
    const metric = this.scope.metrics.get(`fault.${name}`);
    return metric !== undefined && 'value' in metric ? metric.value : 0;
  }
}

test('does nothing where nothing is configured', () => {
  const stream = new FakeStream();
  assert.equal(new Bench({}).run(stream), CONTINUE);
  assert.deepEqual(stream.filterState, [undefined]);
});

test('delays a request and then lets it go on', () => {
  const bench = new Bench({ delay: { fixed_delay: '7s', percentage: always } });
  const stream = new FakeStream();
  assert.equal(bench.run(stream), STOP);
  assert.equal(stream.extraFlags, 'DI');
  bench.clock.advance(6900);
  assert.equal(stream.continued, 0);
  bench.clock.advance(200);
  assert.deepEqual([stream.continued, bench.stat('delays_injected'), bench.stat('active_faults')], [1, 1, 1]);
  bench.end(stream);
  assert.equal(bench.stat('active_faults'), 0);
});

test('aborts with the status and says so', () => {
  const bench = new Bench({ abort: { http_status: 418, percentage: always } });
  const stream = new FakeStream();
  assert.equal(bench.run(stream), STOP);
  const [failure] = stream.failures;
  assert.ok(failure);
  const [reason, details, status] = failure;
  assert.deepEqual(
    [reason.code, reason.flag, reason.message, details, status],
    ['fault_abort', 'FI', 'fault filter abort', 'fault_filter_abort', 418],
  );
  assert.equal(bench.stat('aborts_injected'), 1);
});

test('aborts after the delay where both are configured', () => {
  const bench = new Bench({
    delay: { fixed_delay: '1s', percentage: always },
    abort: { http_status: 503, percentage: always },
  });
  const stream = new FakeStream();
  assert.equal(bench.run(stream), STOP);
  assert.deepEqual(stream.failures, []);
  bench.clock.advance(1100);
  assert.deepEqual([stream.failures.length, stream.continued, bench.stat('active_faults')], [1, 0, 1]);
  bench.end(stream);
  assert.equal(bench.stat('active_faults'), 0);
});

test('gives each protocol the status of the other', () => {
  const grpc = new FakeStream();
  new Bench({ abort: { grpc_status: 8, percentage: always } }).run(grpc);
  assert.deepEqual([grpc.failures[0]?.[0].grpcStatus, grpc.failures[0]?.[0].status], [8, 429]);
  const http = new FakeStream();
  new Bench({ abort: { http_status: 403, percentage: always } }).run(http);
  assert.deepEqual([http.failures[0]?.[0].grpcStatus, http.failures[0]?.[0].status], [7, 403]);
});

test('hits the share of requests it is told to', () => {
  const bench = new Bench({
    abort: { http_status: 500, percentage: { numerator: 2500, denominator: 'TEN_THOUSAND' } },
  });
  let aborted = 0;
  for (let i = 0; i < 4000; i++) {
    const stream = new FakeStream();
    if (bench.run(stream) === STOP) aborted++;
    bench.end(stream);
  }
  assert.ok(Math.abs(aborted - 1000) < 100, String(aborted));
});

test('never, without a percentage', () => {
  assert.equal(new Bench({ abort: { http_status: 500 } }).run(new FakeStream()), CONTINUE);
});

test('concerns only the requests it names', () => {
  const abort = { http_status: 500, percentage: always };
  const byHeader = new Bench({
    abort,
    headers: [
      { name: 'end-user', string_match: { exact: 'jason' } },
      { name: ':method', string_match: { exact: 'GET' } },
    ],
  });
  assert.equal(byHeader.run(new FakeStream()), CONTINUE);
  assert.equal(byHeader.run(new FakeStream('end-user', 'jason')), STOP);
  const byCluster = new Bench({ abort, upstream_cluster: 'other' });
  const stream = new FakeStream();
  assert.equal(byCluster.run(stream), CONTINUE);
  stream.cluster = 'other';
  assert.equal(byCluster.run(stream), STOP);
  const byNode = new Bench({ abort, downstream_nodes: ['n1'] });
  assert.equal(byNode.run(new FakeStream('x-envoy-downstream-service-node', 'n2')), CONTINUE);
  assert.equal(byNode.run(new FakeStream('x-envoy-downstream-service-node', 'n1')), STOP);
});

test('takes orders from headers where it is told to', () => {
  const bench = new Bench({
    delay: { header_delay: {}, percentage: always },
    abort: { header_abort: {}, percentage: always },
  });
  assert.equal(bench.run(new FakeStream()), CONTINUE);
  const delayed = new FakeStream('x-envoy-fault-delay-request', '500');
  assert.equal(bench.run(delayed), STOP);
  bench.clock.advance(510);
  assert.equal(delayed.continued, 1);
  const aborted = new FakeStream('x-envoy-fault-abort-request', '429');
  bench.run(aborted);
  assert.equal(aborted.failures[0]?.[2], 429);
  const grpc = new FakeStream('x-envoy-fault-abort-grpc-request', '5');
  bench.run(grpc);
  assert.equal(grpc.failures[0]?.[0].grpcStatus, 5);
  for (const odd of ['99', '600', 'x', ''])
    assert.equal(bench.run(new FakeStream('x-envoy-fault-abort-request', odd)), CONTINUE, odd);
});

test('a header may ask for a smaller share, not for a larger one', () => {
  const bench = new Bench({ abort: { header_abort: {}, percentage: { numerator: 50, denominator: 'HUNDRED' } } });
  const count = (percentage: string): number => {
    let aborted = 0;
    for (let i = 0; i < 1000; i++) {
      const stream = new FakeStream(
        'x-envoy-fault-abort-request',
        '500',
        'x-envoy-fault-abort-request-percentage',
        percentage,
      );
      if (bench.run(stream) === STOP) aborted++;
      bench.end(stream);
    }
    return aborted;
  };
  assert.equal(count('0'), 0);
  assert.ok(Math.abs(count('10') - 100) < 40);
  assert.ok(Math.abs(count('100') - 500) < 80);
});

test('does not exceed the number of faults at a time', () => {
  const bench = new Bench({ delay: { fixed_delay: '1s', percentage: always }, max_active_faults: 1 });
  const [first, second] = [new FakeStream(), new FakeStream()];
  assert.deepEqual([bench.run(first), bench.run(second)], [STOP, CONTINUE]);
  assert.equal(bench.stat('faults_overflow'), 1);
  bench.end(first);
  assert.equal(bench.run(new FakeStream()), STOP);
});

test('an ended stream is not woken, and gives its place back', () => {
  const bench = new Bench({ delay: { fixed_delay: '1s', percentage: always } });
  const stream = new FakeStream();
  bench.run(stream);
  bench.end(stream);
  bench.clock.advance(2000);
  assert.deepEqual([stream.continued, bench.stat('active_faults')], [0, 0]);
});

test("a route's settings replace the filter's", () => {
  const bench = new Bench({ abort: { http_status: 500, percentage: always } });
  const issues: Issue[] = [];
  const stream = new FakeStream();
  stream.override = compileFaultOverride(pack({ delay: { fixed_delay: '1s', percentage: always } }), {
    issues,
    path: '',
  });
  assert.equal(bench.run(stream), STOP);
  bench.clock.advance(1100);
  assert.deepEqual([stream.failures.length, stream.continued], [0, 1]);
  const exempt = new FakeStream();
  exempt.override = compileFaultOverride(pack({}), { issues, path: '' });
  assert.equal(bench.run(exempt), CONTINUE);
  assert.deepEqual(issues, []);
});

test('refuses what it cannot inject', () => {
  const issues: Issue[] = [];
  const config = {
    delay: { fixed_delay: '0s' },
    abort: { http_status: 100 },
    headers: [{ name: '' }],
    response_rate_limit: { fixed_limit: { limit_kbps: 1 } },
  };
  assert.equal(compileFaultOverride(pack(config), { issues, path: 'x' }), null);
  assert.deepEqual(
    issues.map((issue) => `${issue.code} ${issue.path}`),
    [
      'WEFT0371 x.delay.fixed_delay',
      'WEFT0372 x.abort.http_status',
      'WEFT0311 x.headers[0].name',
      'WEFT0370 x.response_rate_limit',
    ],
  );
  assert.equal(compileFaultOverride(pack({ delay: {}, abort: {} }), { issues, path: '' }), null);
});
