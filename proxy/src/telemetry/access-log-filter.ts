// Which exchanges an access log takes: Envoy's filter messages compiled to predicates.

import type { envoy } from '@weft/api/xds/types';
import type { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { anyGrpcStatusOf, grpcStatusNumber } from './operator/grpc-status.ts';
import { flagNames, flagsOf } from './operator/response-flag.ts';
import type { LoggedView } from './view.ts';

type FilterConfig = envoy.config.accesslog.v3.AccessLogFilter;
type Comparison = envoy.config.accesslog.v3.ComparisonFilter;
type HeaderMatcher = envoy.config.route.v3.HeaderMatcher;

export type AccessLogFilter = (view: LoggedView) => boolean;

/** What compiling a filter needs from outside. */
export interface AccessLogFilterContext {
  readonly issues: Issue[];
  /** The route table's header matcher, so that there is one. */
  readonly compileHeaderMatcher: (
    matcher: HeaderMatcher,
    issues: Issue[],
    path: string,
  ) => (headers: Headers) => boolean;
  /** [0, 1) */
  readonly random: () => number;
}

/** The predicate of a filter; with an error among the issues it is not to be used. */
export function compileAccessLogFilter(
  config: FilterConfig,
  context: AccessLogFilterContext,
  path: string,
): AccessLogFilter {
  if (config.statusCodeFilter !== undefined) {
    const matches = compileComparison(config.statusCodeFilter.comparison, context, `${path}.status_code_filter`);
    return (view) => matches(view.status);
  }
  if (config.durationFilter !== undefined) {
    const matches = compileComparison(config.durationFilter.comparison, context, `${path}.duration_filter`);
    return (view) => matches(Math.trunc(view.endMs));
  }
  if (config.notHealthCheckFilter !== undefined) return takesAll;
  if (config.runtimeFilter !== undefined) return compileRuntime(config.runtimeFilter, context, path);
  if (config.andFilter !== undefined) {
    const all = compileEach(config.andFilter.filters, context, `${path}.and_filter`);
    return (view) => all.every((filter) => filter(view));
  }
  if (config.orFilter !== undefined) {
    const any = compileEach(config.orFilter.filters, context, `${path}.or_filter`);
    return (view) => any.some((filter) => filter(view));
  }
  if (config.headerFilter !== undefined) return compileHeader(config.headerFilter.header, context, path);
  if (config.responseFlagFilter !== undefined) return compileFlags(config.responseFlagFilter.flags, context, path);
  if (config.grpcStatusFilter !== undefined) return compileGrpc(config.grpcStatusFilter, context, path);
  return refuse(
    context,
    path,
    `this access log filter (${kindOf(config)}) is not carried out; remove it or use one that is`,
  );
}

function kindOf(config: FilterConfig): string {
  return Object.keys(config)[0] ?? 'none is set';
}

function refuse(context: AccessLogFilterContext, path: string, message: string): AccessLogFilter {
  context.issues.push({ code: 'WEFT0202', level: 'error', message, path });
  return () => false;
}

function compileComparison(
  comparison: Comparison | undefined,
  context: AccessLogFilterContext,
  path: string,
): (value: number) => boolean {
  const wanted = comparison?.value?.defaultValue ?? 0;
  if (comparison?.value === undefined)
    refuse(context, `${path}.comparison.value`, 'the value to compare with is missing; set it');
  switch (comparison?.op ?? 'EQ') {
    case 'EQ':
      return (value) => value === wanted;
    case 'GE':
      return (value) => value >= wanted;
    case 'LE':
      return (value) => value <= wanted;
    default:
      refuse(context, `${path}.comparison.op`, 'the comparison is not known; use EQ, GE or LE');
      return () => false;
  }
}

// Envoy's health check filter marks the exchanges that this one leaves out, and is not carried out. What a client says of itself is no
// such mark: by it anyone could stay out of the log.
function takesAll(): boolean {
  return true;
}

const denominators: Readonly<Record<string, number>> = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 };

function compileRuntime(
  config: envoy.config.accesslog.v3.RuntimeFilter,
  context: AccessLogFilterContext,
  path: string,
): AccessLogFilter {
  const percent = config.percentSampled;
  const whole = denominators[percent?.denominator ?? 'HUNDRED'];
  if (whole === undefined) {
    return refuse(context, `${path}.runtime_filter.percent_sampled.denominator`, 'the denominator is not known');
  }
  const share = (percent?.numerator ?? 0) / whole;
  return () => context.random() < share;
}

function compileEach(
  filters: readonly FilterConfig[] | undefined,
  context: AccessLogFilterContext,
  path: string,
): AccessLogFilter[] {
  if (filters === undefined || filters.length < 2) {
    refuse(context, `${path}.filters`, 'it combines at least two filters; add one or use the one by itself');
  }
  return (filters ?? []).map((filter, i) => compileAccessLogFilter(filter, context, `${path}.filters[${i}]`));
}

function compileHeader(
  matcher: HeaderMatcher | undefined,
  context: AccessLogFilterContext,
  path: string,
): AccessLogFilter {
  if (matcher === undefined)
    return refuse(context, `${path}.header_filter.header`, 'the header to match is missing; set it');
  const matches = context.compileHeaderMatcher(matcher, context.issues, `${path}.header_filter.header`);
  return (view) => matches(view.requestHeaders);
}

function compileFlags(
  flags: readonly string[] | undefined,
  context: AccessLogFilterContext,
  path: string,
): AccessLogFilter {
  const wanted = new Set(flags ?? []);
  for (const flag of wanted) {
    if (flagNames.has(flag)) continue;
    refuse(
      context,
      `${path}.response_flag_filter.flags`,
      `'${flag}' is no response flag; use one of ${[...flagNames.keys()].join(', ')}`,
    );
  }
  if (wanted.size === 0) return (view) => flagsOf(view) !== '';
  return (view) =>
    flagsOf(view)
      .split(',')
      .some((flag) => wanted.has(flag));
}

const unknown = 2;

function compileGrpc(
  config: envoy.config.accesslog.v3.GrpcStatusFilter,
  context: AccessLogFilterContext,
  path: string,
): AccessLogFilter {
  const wanted = new Set<number>();
  for (const status of config.statuses ?? []) {
    const number = typeof status === 'number' ? status : grpcStatusNumber(status);
    if (number < 0) refuse(context, `${path}.grpc_status_filter.statuses`, `'${status}' is no gRPC status`);
    wanted.add(number);
  }
  const isExcluding = config.exclude === true;
  return (view) => wanted.has(anyGrpcStatusOf(view) ?? unknown) !== isExcluding;
}
