// Small pieces that many messages are made of.

import { parseDurationMs } from '@weft/api/resource/duration';
import type { StringMatch } from '@weft/api/resource/http-route';
import type { envoy, google } from '@weft/api/xds/types';
import { durationFromMs } from '@weft/lib/protobuf/duration';

type RouteAction = envoy.config.route.v3.RouteAction;
type StringMatcher = envoy.type.matcher.v3.StringMatcher;

/** A source of configuration that is this very stream. */
export const adsSource: envoy.config.core.v3.ConfigSource = { ads: {}, resourceApiVersion: 'V3' };

/** No limit in time. */
export const noTimeout: google.protobuf.Duration = { seconds: 0 };

/** Both time-outs of a route: gRPC callers may ask for less by `grpc-timeout`, and without a limit for what they like. */
export function routeTimeouts(timeout: google.protobuf.Duration): Pick<RouteAction, 'timeout' | 'maxGrpcTimeout'> {
  return { timeout, maxGrpcTimeout: timeout };
}

/** `google.protobuf.Duration` of a duration of a resource; unset when there is none. */
export function durationOf(text: string | undefined): google.protobuf.Duration | undefined {
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  return ms === null ? undefined : durationFromMs(ms);
}

/** An IP address or a host name with a port. */
export function socketAddress(address: string, portValue: number): envoy.config.core.v3.Address {
  return { socketAddress: { address, portValue } };
}

/** Istio's string match; null when it holds none of its forms. */
export function stringMatcher(match: StringMatch): StringMatcher | null {
  if (match.exact !== undefined) return { exact: match.exact };
  // An empty prefix fits everything, which the wire form refuses to say with `prefix`.
  if (match.prefix !== undefined)
    return match.prefix === '' ? { safeRegex: { regex: '.*' } } : { prefix: match.prefix };
  if (match.regex !== undefined) return { safeRegex: { regex: match.regex } };
  return null;
}

/** Whether the match has none of its forms. */
export function isEmptyMatch(match: StringMatch | undefined): boolean {
  return match === undefined || stringMatcher(match) === null;
}

/** A percentage with four digits behind the point. */
export function fractionOf(percent: number): envoy.type.v3.FractionalPercent {
  return { numerator: Math.round(percent * 10_000), denominator: 'MILLION' };
}

/** Escapes what RE2 would read as syntax. */
export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
