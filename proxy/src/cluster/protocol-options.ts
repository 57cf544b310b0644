// What a cluster's connections speak and how long they live: `HttpProtocolOptions`, or the older fields beside it.

import type { envoy } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { durationMs } from '@weft/lib/protobuf/duration';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';

type ClusterMessage = envoy.config.cluster.v3.Cluster;
type Typed = envoy.extensions.upstreams.http.v3.HttpProtocolOptions;

export type UpstreamProtocol = 'http1' | 'http2' | 'use-downstream' | 'auto';

export interface ProtocolOptions {
  readonly protocol: UpstreamProtocol;
  readonly http2Options: envoy.config.core.v3.Http2ProtocolOptions | undefined;
  /** 0: never. Default one hour. */
  readonly idleTimeoutMs: number;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  /** 0: no limit. */
  readonly maxConnectDurationMs: number;
  /** 0: no limit of the cluster's own. */
  readonly maxStreamDurationMs: number;
  /** Server name by the endpoint's own name. */
  readonly isAutoSni: boolean;
  readonly isAutoSanValidated: boolean;
}

const typedName = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const hourMs = 3_600_000;

export function compileProtocolOptions(config: ClusterMessage, sink: IssueSink): ProtocolOptions {
  const typed = decodeTyped(config, sink);
  const common = typed?.commonHttpProtocolOptions ?? config.commonHttpProtocolOptions;
  const upstream = typed?.upstreamHttpProtocolOptions ?? config.upstreamHttpProtocolOptions;
  if (upstream?.overrideAutoSniHeader !== undefined && upstream.overrideAutoSniHeader !== '') {
    const below = sinkAt(sink, 'upstream_http_protocol_options.override_auto_sni_header');
    reportError(below, 'WEFT0366', 'the server name is that of the endpoint and not of each request; remove it');
  }
  return {
    protocol:
      typed === null
        ? olderProtocol(config)
        : typedProtocol(typed, sinkAt(sink, `typed_extension_protocol_options["${typedName}"]`)),
    http2Options:
      typed?.explicitHttpConfig?.http2ProtocolOptions ??
      typed?.useDownstreamProtocolConfig?.http2ProtocolOptions ??
      typed?.autoConfig?.http2ProtocolOptions ??
      config.http2ProtocolOptions,
    idleTimeoutMs: common?.idleTimeout === undefined ? hourMs : durationMs(common.idleTimeout),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? config.maxRequestsPerConnection ?? 0,
    maxConnectDurationMs: durationMs(common?.maxConnectionDuration),
    maxStreamDurationMs: durationMs(common?.maxStreamDuration),
    isAutoSni: upstream?.autoSni === true,
    isAutoSanValidated: upstream?.autoSanValidation === true,
  };
}

function decodeTyped(config: ClusterMessage, sink: IssueSink): Typed | null {
  const any = config.typedExtensionProtocolOptions?.[typedName];
  if (any === undefined) return null;
  try {
    return unpackAny(any, typedName);
  } catch (error) {
    const below = sinkAt(sink, `typed_extension_protocol_options["${typedName}"]`);
    return reportError(below, 'WEFT0361', `the configuration cannot be decoded: ${messageOf(error)}`);
  }
}

function olderProtocol(config: ClusterMessage): UpstreamProtocol {
  if (config.protocolSelection === 'USE_DOWNSTREAM_PROTOCOL') return 'use-downstream';
  return config.http2ProtocolOptions === undefined ? 'http1' : 'http2';
}

function typedProtocol(typed: Typed, sink: IssueSink): UpstreamProtocol {
  if (typed.useDownstreamProtocolConfig !== undefined) return 'use-downstream';
  if (typed.autoConfig !== undefined) return 'auto';
  const explicit = typed.explicitHttpConfig;
  if (explicit === undefined) {
    reportError(
      sink,
      'WEFT0365',
      'no protocol is chosen; give explicit_http_config, use_downstream_protocol_config or auto_config',
    );
  }
  if (explicit?.http3ProtocolOptions !== undefined) {
    reportError(
      sinkAt(sink, 'explicit_http_config.http3_protocol_options'),
      'WEFT0365',
      'HTTP/3 is not carried out; use HTTP/1 or HTTP/2',
    );
  }
  return explicit?.http2ProtocolOptions === undefined ? 'http1' : 'http2';
}
