import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { envoy } from '@weft/api/xds/types';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { Counter, Scope } from '@weft/lib/metrics';
import { packAny } from '@weft/lib/protobuf/codec';
import type { Stream } from '../../stream/stream.ts';
import { compileGrpcStats } from './config.ts';
import type { GrpcStatsFilter } from './filter.ts';
import { methodsMax } from './method-stats.ts';

const type = 'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig';
type Config = envoy.extensions.filters.http.grpc_stats.v3.FilterConfig;

function compile(config: Config): GrpcStatsFilter {
  const issues: Issue[] = [];
  const filter = compileGrpcStats(packAny(type, config), 'stats', { issues, path: 'f' });
  assert.deepEqual(issues, []);
  assert.ok(filter);
  filter.slot = 0;
  return filter;
}

const message = Buffer.from([0, 0, 0, 0, 0]);

interface Outcome {
  readonly status: string;
  /** The reply is the proxy's own. */
  readonly isLocal?: boolean;
  readonly isTrailersOnly?: boolean;
}

/** One call with a message each way. */
function call(filter: GrpcStatsFilter, scope: Scope, path: string, outcome: Outcome, contentType = 'application/grpc') {
  const { status, isLocal = false, isTrailersOnly = false } = outcome;
  const stream = {
    path,
    requestHeaders: Headers.of('content-type', contentType),
    responseHeaders: null,
    responseTrailers: null,
    filterState: [undefined],
    cluster: { scope },
    responseStartMs: isLocal ? -1 : 1,
    upstreamStartMs: 0,
    endMs: 3,
  } as unknown as Stream;
  filter.onRequestHead(stream);
  filter.onRequestData(stream, message, 0, 5, true);
  const pairs = isTrailersOnly ? ['grpc-status', status] : [];
  stream.responseHeaders = Headers.of('content-type', 'application/grpc', ...pairs);
  filter.onResponseHead(stream, isTrailersOnly);
  if (!isTrailersOnly) {
    filter.onResponseData(stream, message, 0, 5, false);
    stream.responseTrailers = Headers.of('grpc-status', status);
    filter.onResponseTrailers(stream);
  }
  filter.onComplete(stream);
}

/** Counters that are not zero. */
function counts(scope: Scope): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, metric] of scope.metrics)
    if (metric instanceof Counter && metric.value > 0) found[name] = metric.value;
  return found;
}

const ok: Outcome = { status: '0' };

describe('gRPC statistics', () => {
  it('count calls and messages of the cluster as one by default', () => {
    const scope = new Scope({ prefix: 'cluster' });
    const filter = compile({});
    call(filter, scope, '/a.B/C', ok);
    call(filter, scope, '/a.B/D', { status: '14', isTrailersOnly: true });
    assert.deepEqual(counts(scope), {
      'grpc.0': 1,
      'grpc.14': 1,
      'grpc.success': 1,
      'grpc.failure': 1,
      'grpc.total': 2,
      'grpc.request_message_count': 2,
      'grpc.response_message_count': 1,
    });
  });

  it('tell methods apart by Envoy’s names', () => {
    const scope = new Scope({ prefix: 'cluster' });
    call(compile({ statsForAllMethods: true }), scope, '/a.B/C', ok);
    assert.deepEqual(counts(scope), {
      'grpc.a.B.C.0': 1,
      'grpc.a.B.C.success': 1,
      'grpc.a.B.C.total': 1,
      'grpc.a.B.C.request_message_count': 1,
      'grpc.a.B.C.response_message_count': 1,
    });
  });

  it('write dots of services as underscores when told, and times of the endpoint', () => {
    const scope = new Scope({ prefix: 'cluster' });
    const filter = compile({ statsForAllMethods: true, replaceDotsInGrpcServiceName: true, enableUpstreamStats: true });
    call(filter, scope, '/a.B/C', ok);
    assert.equal(counts(scope)['grpc.a_B.C.total'], 1);
    assert.equal(scope.histogram('grpc.a_B.C.upstream_rq_time').count, 1);
  });

  it('tell only the listed methods apart', () => {
    const scope = new Scope({ prefix: 'cluster' });
    const services = [{ name: 'a.B', methodNames: ['C'] }];
    const filter = compile({ individualMethodStatsAllowlist: { services } });
    call(filter, scope, '/a.B/C', { status: '12', isTrailersOnly: true });
    call(filter, scope, '/a.B/D', ok);
    const { 'grpc.a.B.C.12': listed, 'grpc.total': others } = counts(scope);
    assert.deepEqual([listed, others], [1, 1]);
  });

  it('give no counters to methods that no endpoint has, or that nobody answered', () => {
    const scope = new Scope({ prefix: 'cluster' });
    const filter = compile({ statsForAllMethods: true });
    call(filter, scope, '/made.Up/One', { status: '12', isTrailersOnly: true });
    call(filter, scope, '/made.Up/Two', { status: '14', isTrailersOnly: true, isLocal: true });
    call(filter, scope, '/made up/with spaces', ok);
    call(filter, scope, `/${'a'.repeat(300)}/M`, ok);
    assert.deepEqual(
      Object.keys(counts(scope)).filter((name) => !/^grpc\.[a-z0-9_]+$/.test(name)),
      [],
    );
    assert.equal(counts(scope)['grpc.total'], 4);
  });

  it('stop telling methods apart at a bound, which outlives the listener', () => {
    const scope = new Scope({ prefix: 'cluster' });
    for (let i = 0; i < methodsMax; i++) call(compile({ statsForAllMethods: true }), scope, `/s/M${i}`, ok);
    const before = scope.metrics.size;
    const next = compile({ statsForAllMethods: true });
    for (let i = 0; i < 10; i++) call(next, scope, `/s/More${i}`, ok);
    // `grpc.0` is new.
    assert.equal(scope.metrics.size, before + 1);
    assert.equal(scope.counter('grpc.method_limit_overflow').value, 10);
    assert.equal(scope.counter('grpc.total').value, 10);
  });

  it('count a status that gRPC does not know as UNKNOWN', () => {
    const scope = new Scope({ prefix: 'cluster' });
    call(compile({}), scope, '/a.B/C', { status: '4711' });
    assert.equal(counts(scope)['grpc.2'], 1);
  });

  it('leave other requests alone', () => {
    const scope = new Scope({ prefix: 'cluster' });
    call(compile({}), scope, '/a.B/C', ok, 'application/json');
    assert.deepEqual(counts(scope), {});
  });

  it('report a list without names', () => {
    const issues: Issue[] = [];
    const any = packAny(type, { individualMethodStatsAllowlist: { services: [{}] } });
    assert.equal(compileGrpcStats(any, 'stats', { issues, path: 'f' }), null);
    assert.deepEqual(
      issues.map((issue) => issue.path),
      [
        'f.individual_method_stats_allowlist.services[0].name',
        'f.individual_method_stats_allowlist.services[0].method_names',
      ],
    );
  });
});
