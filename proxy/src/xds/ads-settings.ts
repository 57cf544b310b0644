// What a bootstrap says about the stream to the control plane, in the client's own terms.
import type { envoy } from '@weft/api/xds/types';
import { fetchTimeoutMs } from '@weft/lib/fetch-timeout';
import { ProtobufError, unpackAny } from '@weft/lib/protobuf/codec';
import { durationMs } from '@weft/lib/protobuf/duration';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;
type Http2Options = envoy.config.core.v3.Http2ProtocolOptions;

export interface AdsSettings {
  /** The static cluster that is the control plane. */
  readonly clusterName: string;
  readonly authority: string;
  readonly variant: 'GRPC' | 'DELTA_GRPC';
  readonly nodeOnce: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  readonly wantsClusters: boolean;
  readonly wantsListeners: boolean;
  /** 0 waits for ever. */
  readonly clusterTimeoutMs: number;
  readonly listenerTimeoutMs: number;
  readonly messageLimitBytes: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

const defaultLimitBytes = 128 * 1024 * 1024;
const optionsName = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Reads `dynamic_resources`; null without an `ads_config`. */
export function readAdsSettings(bootstrap: Bootstrap): AdsSettings | null {
  const dynamic = bootstrap.dynamicResources;
  const source = dynamic?.adsConfig;
  if (dynamic === undefined || source === undefined) return null;
  const service = source.grpcServices?.[0];
  const clusterName = service?.envoyGrpc?.clusterName ?? '';
  const keepalive = http2OptionsOf(bootstrap, clusterName)?.connectionKeepalive;
  return {
    clusterName,
    authority: service?.envoyGrpc?.authority || clusterName,
    variant: source.apiType === 'DELTA_GRPC' ? 'DELTA_GRPC' : 'GRPC',
    nodeOnce: source.setNodeOnFirstMessageOnly === true,
    metadata: Object.fromEntries(
      (service?.initialMetadata ?? []).map((header) => [(header.key ?? '').toLowerCase(), header.value ?? '']),
    ),
    wantsClusters: dynamic.cdsConfig !== undefined,
    wantsListeners: dynamic.ldsConfig !== undefined,
    clusterTimeoutMs: fetchTimeoutMs(dynamic.cdsConfig),
    listenerTimeoutMs: fetchTimeoutMs(dynamic.ldsConfig),
    messageLimitBytes: service?.envoyGrpc?.maxReceiveMessageLength ?? defaultLimitBytes,
    pingIntervalMs: keepalive?.interval === undefined ? 60_000 : durationMs(keepalive.interval),
    pingTimeoutMs: keepalive?.timeout === undefined ? 10_000 : durationMs(keepalive.timeout),
  };
}

function http2OptionsOf(bootstrap: Bootstrap, clusterName: string): Http2Options | undefined {
  const cluster = bootstrap.staticResources?.clusters?.find((one) => one.name === clusterName);
  const any = cluster?.typedExtensionProtocolOptions?.[optionsName];
  if (any === undefined) return cluster?.http2ProtocolOptions;
  try {
    return unpackAny(any, optionsName).explicitHttpConfig?.http2ProtocolOptions;
  } catch (thrown) {
    // Reported when the cluster itself is compiled.
    if (thrown instanceof ProtobufError) return undefined;
    throw thrown;
  }
}
