// `Http2ProtocolOptions` -> settings and limits of the codec, for listeners and clusters alike.

import type { envoy } from '@weft/api/xds/types';
import { durationMs } from '@weft/lib/protobuf/duration';
import { defaultLimits, defaultSettings, type Http2Limits, type Http2Settings } from '../protocol/http2/settings.ts';
import type { KeepAlivePlan } from './http2-keep-alive.ts';

type Options = envoy.config.core.v3.Http2ProtocolOptions;

/** Ours where the message says nothing. */
export function compileHttp2Settings(options: Options | undefined): Http2Settings {
  if (options === undefined) return defaultSettings;
  return {
    headerTableSize: options.hpackTableSize ?? defaultSettings.headerTableSize,
    maxConcurrentStreams: options.maxConcurrentStreams ?? defaultSettings.maxConcurrentStreams,
    initialWindowBytes: options.initialStreamWindowSize ?? defaultSettings.initialWindowBytes,
    connectionWindowBytes: options.initialConnectionWindowSize ?? defaultSettings.connectionWindowBytes,
    // A window that somebody chose holds.
    holdsBeyondWindow: options.initialConnectionWindowSize === undefined,
    maxFrameBytes: defaultSettings.maxFrameBytes,
    enablesConnectProtocol: defaultSettings.enablesConnectProtocol,
  };
}

/** What a listener or a cluster decides about heads by fields beside the message. */
export type HeadLimits = Pick<Http2Limits, 'maxHeaderListBytes' | 'maxHeaderCount'> &
  Partial<Pick<Http2Limits, 'maxSlowTicks' | 'maxResets' | 'prematureTicks' | 'closesOnMalformed'>>;

/** Flood limits are Envoy's fields where it has them. */
export function compileHttp2Limits(options: Options | undefined, heads: HeadLimits): Http2Limits {
  const limits: Http2Limits = { ...defaultLimits, ...heads };
  if (options === undefined) return limits;
  return {
    ...limits,
    maxConsecutiveEmptyFrames: options.maxConsecutiveInboundFramesWithEmptyPayload ?? limits.maxConsecutiveEmptyFrames,
    maxPrioritiesPerStream: options.maxInboundPriorityFramesPerStream ?? limits.maxPrioritiesPerStream,
    maxWindowUpdatesPerData: options.maxInboundWindowUpdateFramesPerDataFrameSent ?? limits.maxWindowUpdatesPerData,
    maxOutboundFrames: options.maxOutboundFrames ?? limits.maxOutboundFrames,
    maxOutboundControlFrames: options.maxOutboundControlFrames ?? limits.maxOutboundControlFrames,
    closesOnMalformed: closesOnMalformed(options) ?? limits.closesOnMalformed,
  };
}

// The older field can only ask for what is the default here.
function closesOnMalformed(options: Options): boolean | undefined {
  const keeps = options.overrideStreamErrorOnInvalidHttpMessage;
  if (keeps !== undefined) return !keeps;
  return options.streamErrorOnInvalidHttpMessaging === true ? false : undefined;
}

/** As Envoy, when the message does not say. */
const defaultJitterPercent = 15;

/** Null when no PINGs are asked for. */
export function compileKeepAlive(options: Options | undefined): KeepAlivePlan | null {
  const keepAlive = options?.connectionKeepalive;
  if (keepAlive === undefined) return null;
  return {
    intervalMs: durationMs(keepAlive.interval),
    timeoutMs: durationMs(keepAlive.timeout),
    jitter: (keepAlive.intervalJitter?.value ?? defaultJitterPercent) / 100,
    idleIntervalMs: durationMs(keepAlive.connectionIdleInterval),
  };
}
