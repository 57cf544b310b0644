// Compiles `envoy.extensions.filters.http.fault.v3.HTTPFault`, for the chain and for a route.

import type { envoy, google } from '@weft/api/xds/types';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { durationMs } from '@weft/lib/protobuf/duration';
import { fractionOf } from '../../cluster/fraction.ts';
import { compileRequestHeaderMatcher } from '../../route/header-matcher.ts';
import { type IssueSink, reportError, sinkAt } from '../../security/data-source.ts';
import { FaultFilter } from './filter.ts';
import { type AbortRule, type DelayRule, type FaultContext, FaultRules, type FaultShare } from './rules.ts';

type Any = google.protobuf.Any;
type HttpFault = envoy.extensions.filters.http.fault.v3.HTTPFault;
type FaultAbort = envoy.extensions.filters.http.fault.v3.FaultAbort;
type FaultDelay = envoy.extensions.filters.common.fault.v3.FaultDelay;
type FractionalPercent = envoy.type.v3.FractionalPercent;

const typeName = 'envoy.extensions.filters.http.fault.v3.HTTPFault';

/** Null after reporting errors. Throws `ProtobufError` for bytes that are no such message. */
export function compileFault(config: Any, name: string, context: FaultContext): FaultFilter | null {
  const rules = compileRules(unpackAny(config, typeName), { issues: context.issues, path: context.path });
  return rules === null ? null : new FaultFilter(name, rules, context);
}

/** The rules that replace the filter's on a route. */
export function compileFaultOverride(config: Any, context: Pick<FaultContext, 'issues' | 'path'>): FaultRules | null {
  return compileRules(unpackAny(config, typeName), { issues: context.issues, path: context.path });
}

function compileRules(config: HttpFault, sink: IssueSink): FaultRules | null {
  const before = sink.issues.length;
  const delay = config.delay === undefined ? null : compileDelay(config.delay, sinkAt(sink, 'delay'));
  const abort = config.abort === undefined ? null : compileAbort(config.abort, sinkAt(sink, 'abort'));
  const headers = (config.headers ?? []).map((matcher, i) =>
    compileRequestHeaderMatcher(matcher, sinkAt(sink, `headers[${i}]`)),
  );
  if (config.responseRateLimit !== undefined) {
    reportError(
      sinkAt(sink, 'response_rate_limit'),
      'WEFT0370',
      'slowing responses down is not carried out; use delay or abort',
    );
  }
  if (sink.issues.slice(before).some((issue) => issue.level === 'error')) return null;
  return new FaultRules(
    config,
    delay,
    abort,
    headers.filter((matcher) => matcher !== null),
  );
}

function compileDelay(config: FaultDelay, sink: IssueSink): DelayRule | null {
  const share = shareOf(config.percentage);
  if (config.headerDelay !== undefined) return { share, delayMs: -1 };
  if (config.fixedDelay === undefined)
    return reportError(sink, 'WEFT0371', 'the delay says no time; give fixed_delay or header_delay');
  const delayMs = durationMs(config.fixedDelay);
  if (delayMs > 0) return { share, delayMs };
  return reportError(sinkAt(sink, 'fixed_delay'), 'WEFT0371', 'the delay must be more than zero');
}

function compileAbort(config: FaultAbort, sink: IssueSink): AbortRule | null {
  const share = shareOf(config.percentage);
  if (config.headerAbort !== undefined) return { share, status: 0, grpcStatus: -1, isByHeader: true };
  const { httpStatus, grpcStatus } = config;
  if (grpcStatus !== undefined) return { share, status: 0, grpcStatus, isByHeader: false };
  if (httpStatus === undefined)
    return reportError(sink, 'WEFT0372', 'the abort says no status; give http_status, grpc_status or header_abort');
  if (httpStatus >= 200 && httpStatus <= 599) return { share, status: httpStatus, grpcStatus: -1, isByHeader: false };
  return reportError(sinkAt(sink, 'http_status'), 'WEFT0372', `${httpStatus} is no final HTTP status; give 200 to 599`);
}

function shareOf(percentage: FractionalPercent | undefined): FaultShare {
  const whole =
    percentage?.denominator === 'MILLION' ? 1_000_000 : percentage?.denominator === 'TEN_THOUSAND' ? 10_000 : 100;
  return { chance: fractionOf(percentage), whole };
}
