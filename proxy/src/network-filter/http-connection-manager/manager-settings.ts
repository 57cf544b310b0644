// What a connection manager takes from its message as it stands: limits, time-outs, how heads are changed. Nothing here can fail.

import type { envoy } from '@weft/api/xds/types';
import type { RuntimeValues } from '../../bootstrap/runtime.ts';
import {
  compileHttp2Limits,
  compileHttp2Settings,
  compileKeepAlive,
  type HeadLimits,
} from '../../upstream/http2-options.ts';
import { timeMs } from '../time-limit.ts';
import type { UnderscoreAction } from './header-names.ts';
import type { ManagerOptions } from './http-connection-manager.ts';
import { isNeutral, type PathPolicy } from './path.ts';

type Config = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;

/** Defaults are Envoy's, but for the header time-out: Envoy waits for ever, which a slow sender can abuse. */
const defaults = {
  idleTimeoutMs: 3_600_000,
  streamIdleTimeoutMs: 300_000,
  headersTimeoutMs: 15_000,
  maxHeaderKib: 60,
  maxHeaderCount: 100,
  bufferLimitBytes: 1024 * 1024,
} as const;

/** The part of the options that needs nothing but the message. */
export type ManagerSettings = Omit<
  ManagerOptions,
  | 'filters'
  | 'routes'
  | 'clusters'
  | 'clock'
  | 'random'
  | 'forwardedClientCert'
  | 'suppressEnvoyHeaders'
  | 'accessLog'
  | 'decisions'
  | 'health'
  | 'internal'
  | 'counters'
>;

/** Reads them, with Envoy's defaults. */
export function readManagerSettings(
  config: Config,
  bufferLimitBytes: number | undefined,
  runtime: RuntimeValues,
): ManagerSettings {
  const maxHeaderBytes = (config.maxRequestHeadersKb ?? defaults.maxHeaderKib) * 1024;
  const maxHeaderCount = config.commonHttpProtocolOptions?.maxHeadersCount ?? defaults.maxHeaderCount;
  return {
    codec: codecOf(config),
    http2Settings: compileHttp2Settings(config.http2ProtocolOptions),
    http2Limits: compileHttp2Limits(config.http2ProtocolOptions, {
      maxHeaderListBytes: maxHeaderBytes,
      maxHeaderCount,
      ...http2Extras(config, runtime),
    }),
    keepAlive: compileKeepAlive(config.http2ProtocolOptions),
    underscores: underscoreActions[String(config.commonHttpProtocolOptions?.headersWithUnderscoresAction)] ?? 'allow',
    limits: { maxHeaderBytes, maxHeaderCount, allowHttp10: config.httpProtocolOptions?.acceptHttp10 === true },
    bufferLimitBytes: bufferLimitBytes ?? defaults.bufferLimitBytes,
    ...timeLimits(config),
    upgrades: compileUpgrades(config),
    ...pathOptions(config),
    usesRemoteAddress: config.useRemoteAddress === true,
    skipsForwardedFor: config.skipXffAppend === true,
    trustedHops: config.xffNumTrustedHops ?? 0,
    generatesRequestId: config.generateRequestId ?? true,
    preservesRequestId: config.preserveExternalRequestId === true,
    returnsRequestId: config.alwaysSetRequestIdInResponse === true,
    via: config.via ?? '',
    serverName: config.serverName || 'weft',
    serverHeader: serverHeaderOf(config),
  };
}

type HeadExtras = Omit<HeadLimits, 'maxHeaderListBytes' | 'maxHeaderCount'>;

type TimeLimit = 'idle' | 'streamIdle' | 'request' | 'headers';

type AgeLimits = Pick<ManagerOptions, 'maxStreamDurationMs' | 'maxConnectionDurationMs' | 'maxRequestsPerConnection'>;

function timeLimits(config: Config): Record<`${TimeLimit}TimeoutMs`, number> & AgeLimits {
  const common = config.commonHttpProtocolOptions;
  return {
    idleTimeoutMs: timeMs(common?.idleTimeout, defaults.idleTimeoutMs),
    streamIdleTimeoutMs: timeMs(config.streamIdleTimeout, defaults.streamIdleTimeoutMs),
    requestTimeoutMs: timeMs(config.requestTimeout, 0),
    headersTimeoutMs: timeMs(config.requestHeadersTimeout, defaults.headersTimeoutMs),
    maxStreamDurationMs: timeMs(common?.maxStreamDuration, 0),
    maxConnectionDurationMs: timeMs(common?.maxConnectionDuration, 0),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? 0,
  };
}

const underscoreActions: Readonly<Record<string, UnderscoreAction>> = { REJECT_REQUEST: 'reject', DROP_HEADER: 'drop' };

// The codec counts in ticks of a second. Without a limit a head may take for ever.
function http2Extras(config: Config, runtime: RuntimeValues): HeadExtras {
  const headersMs = timeMs(config.requestHeadersTimeout, defaults.headersTimeoutMs);
  const { prematureResetStreams, prematureResetSeconds } = runtime;
  const keepsConnection = config.streamErrorOnInvalidHttpMessage;
  return {
    maxSlowTicks: headersMs === 0 ? Number.POSITIVE_INFINITY : Math.ceil(headersMs / 1000),
    // Half of that many streams, and then half of all: a quarter of them beyond every other one.
    ...(prematureResetStreams === undefined ? {} : { maxResets: Math.ceil(prematureResetStreams / 4) }),
    ...(prematureResetSeconds === undefined ? {} : { prematureTicks: prematureResetSeconds }),
    ...(keepsConnection === undefined ? {} : { closesOnMalformed: !keepsConnection }),
  };
}

function codecOf(config: Config): 'auto' | 'http1' | 'http2' {
  if (config.codecType === 'HTTP1') return 'http1';
  return config.codecType === 'HTTP2' ? 'http2' : 'auto';
}

function compileUpgrades(config: Config): ReadonlyMap<string, boolean> {
  const upgrades: Map<string, boolean> = new Map();
  for (const upgrade of config.upgradeConfigs ?? []) {
    upgrades.set((upgrade.upgradeType ?? '').toLowerCase(), upgrade.enabled ?? true);
  }
  return upgrades;
}

const escapedSlashActions: Readonly<Record<string, PathPolicy['escapedSlashes']>> = {
  REJECT_REQUEST: 'reject',
  UNESCAPE_AND_REDIRECT: 'redirect',
  UNESCAPE_AND_FORWARD: 'forward',
};

function pathOptions(config: Config): {
  readonly pathPolicy: PathPolicy | null;
  readonly stripsPort: 'any' | 'matching' | null;
} {
  const policy: PathPolicy = {
    normalizes: config.normalizePath === true,
    mergesSlashes: config.mergeSlashes === true,
    escapedSlashes: escapedSlashActions[String(config.pathWithEscapedSlashesAction)] ?? 'keep',
  };
  const matching = config.stripMatchingHostPort === true ? 'matching' : null;
  return {
    pathPolicy: isNeutral(policy) ? null : policy,
    stripsPort: config.stripAnyHostPort === true ? 'any' : matching,
  };
}

function serverHeaderOf(config: Config): 'overwrite' | 'append-if-absent' | 'pass-through' {
  if (config.serverHeaderTransformation === 'APPEND_IF_ABSENT') return 'append-if-absent';
  return config.serverHeaderTransformation === 'PASS_THROUGH' ? 'pass-through' : 'overwrite';
}
