// How requests are written to a cluster: HTTP/1.1, HTTP/2, or as the caller spoke; limits of a connection.

import type { envoy, google } from '@weft/api/xds/types';
import { packAny } from '@weft/lib/protobuf/codec';
import { isHttp, isHttp2, type Protocol } from '../../model/protocol.ts';
import { durationOf } from '../message.ts';
import type { PolicyBlocks } from '../route/traffic-policy.ts';

type HttpProtocolOptions = envoy.extensions.upstreams.http.v3.HttpProtocolOptions;

const optionsKey = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Whether the upstream connection is HTTP/2. */
export function usesHttp2(protocol: Protocol, policy: PolicyBlocks): boolean {
  return isHttp2(protocol) || (isHttp(protocol) && policy.connectionPool?.http?.h2UpgradePolicy === 'UPGRADE');
}

/** `typed_extension_protocol_options`; undefined when the defaults of HTTP/1.1 do. */
export function upstreamProtocolOptions(
  protocol: Protocol,
  policy: PolicyBlocks,
): { readonly [key: string]: google.protobuf.Any } | undefined {
  const http = policy.connectionPool?.http;
  const idleTimeout = durationOf(http?.idleTimeout);
  const maxConnectionDuration = durationOf(policy.connectionPool?.tcp?.maxConnectionDuration);
  const perConnection = http?.maxRequestsPerConnection;
  const common: HttpProtocolOptions['commonHttpProtocolOptions'] = {
    ...(idleTimeout === undefined ? {} : { idleTimeout }),
    ...(maxConnectionDuration === undefined ? {} : { maxConnectionDuration }),
    ...(perConnection === undefined || perConnection === 0 ? {} : { maxRequestsPerConnection: perConnection }),
  };
  const hasCommon = Object.keys(common).length > 0;
  const isHttp2Upstream = usesHttp2(protocol, policy);
  const asCaller = http?.useClientProtocol === true;
  if (!hasCommon && !isHttp2Upstream && !asCaller) return undefined;
  const message: HttpProtocolOptions = {
    ...(hasCommon ? { commonHttpProtocolOptions: common } : {}),
    ...versionField(isHttp2Upstream, asCaller, policy),
  };
  return { [optionsKey]: packAny(optionsKey, message) };
}

function versionField(isHttp2Upstream: boolean, asCaller: boolean, policy: PolicyBlocks): HttpProtocolOptions {
  const http2ProtocolOptions = http2Options(policy);
  if (asCaller) return { useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions } };
  if (isHttp2Upstream) return { explicitHttpConfig: { http2ProtocolOptions } };
  return { explicitHttpConfig: { httpProtocolOptions: {} } };
}

function http2Options(policy: PolicyBlocks): envoy.config.core.v3.Http2ProtocolOptions {
  const http = policy.connectionPool?.http;
  const interval = durationOf(http?.http2KeepAlive?.interval);
  const timeout = durationOf(http?.http2KeepAlive?.timeout);
  const streams = http?.maxConcurrentStreams;
  return {
    ...(streams === undefined || streams === 0 ? {} : { maxConcurrentStreams: streams }),
    ...(interval === undefined || timeout === undefined ? {} : { connectionKeepalive: { interval, timeout } }),
  };
}
