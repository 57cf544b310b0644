// `Http2ProtocolOptions` → settings and limits of the codec, for listeners and clusters alike.

import type { envoy } from '@weft/api/xds/types';
import { defaultLimits, defaultSettings, type Http2Limits, type Http2Settings } from '../protocol/http2/settings.ts';

type Options = envoy.config.core.v3.Http2ProtocolOptions;

/** Ours where the message says nothing. */
export function compileHttp2Settings(options: Options | undefined): Http2Settings {
  if (options === undefined) return defaultSettings;
  return {
    headerTableSize: options.hpackTableSize ?? defaultSettings.headerTableSize,
    maxConcurrentStreams: options.maxConcurrentStreams ?? defaultSettings.maxConcurrentStreams,
    initialWindowBytes: options.initialStreamWindowSize ?? defaultSettings.initialWindowBytes,
    connectionWindowBytes: options.initialConnectionWindowSize ?? defaultSettings.connectionWindowBytes,
    maxFrameBytes: defaultSettings.maxFrameBytes,
    enablesConnectProtocol: options.allowConnect ?? defaultSettings.enablesConnectProtocol,
  };
}

/** Flood limits are Envoy's fields where it has them. */
export function compileHttp2Limits(
  options: Options | undefined,
  heads: Pick<Http2Limits, 'maxHeaderListBytes' | 'maxHeaderCount'>,
): Http2Limits {
  return {
    ...defaultLimits,
    ...heads,
    maxEmptyFrames: options?.maxConsecutiveInboundFramesWithEmptyPayload ?? defaultLimits.maxEmptyFrames,
    maxPriorities: options?.maxInboundPriorityFramesPerStream ?? defaultLimits.maxPriorities,
  };
}
