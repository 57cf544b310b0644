// `fault` of an HTTP route, as the route's own configuration of the fault filter.

import { grpcStatusNames } from '@weft/api/resource/grpc-status';
import type { HttpFault } from '@weft/api/resource/http-route';
import type { envoy, google } from '@weft/api/xds/types';
import { packAny } from '@weft/lib/protobuf/codec';
import { durationOf, fractionOf } from '../message.ts';

type HTTPFault = envoy.extensions.filters.http.fault.v3.HTTPFault;

export const faultFilterName = 'envoy.filters.http.fault';

/** `typed_per_filter_config` of a route with faults; undefined without. */
export function faultConfig(
  fault: HttpFault | undefined,
): { readonly [filter: string]: google.protobuf.Any } | undefined {
  if (fault === undefined) return undefined;
  const message: HTTPFault = { ...delayOf(fault), ...abortOf(fault) };
  if (Object.keys(message).length === 0) return undefined;
  return { [faultFilterName]: packAny('envoy.extensions.filters.http.fault.v3.HTTPFault', message) };
}

/** As in Istio, without a percentage no request is concerned. */
function delayOf({ delay }: HttpFault): HTTPFault {
  const fixedDelay = durationOf(delay?.fixedDelay);
  if (delay === undefined || fixedDelay === undefined) return {};
  return { delay: { fixedDelay, percentage: fractionOf(delay.percentage?.value ?? delay.percent ?? 0) } };
}

function abortOf({ abort }: HttpFault): HTTPFault {
  if (abort === undefined) return {};
  const percentage = fractionOf(abort.percentage?.value ?? abort.percent ?? 0);
  if (abort.httpStatus !== undefined) return { abort: { httpStatus: abort.httpStatus, percentage } };
  if (abort.grpcStatus === undefined) return {};
  const named = grpcStatusNames.indexOf(abort.grpcStatus.toUpperCase());
  const grpcStatus = named >= 0 ? named : Number(abort.grpcStatus);
  return Number.isInteger(grpcStatus) ? { abort: { grpcStatus, percentage } } : {};
}
