// Envoy's `OutlierDetection`, compiled with its defaults. Percentages of enforcement are chances that a detected outlier is ejected.

import type { envoy } from '@weft/api/xds/types';
import { durationMs } from '@weft/lib/protobuf/duration';
import { type IssueSink, reportError, sinkAt } from '../../security/data-source.ts';

type OutlierDetection = envoy.config.cluster.v3.OutlierDetection;

export interface OutlierConfig {
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly jitterMs: number;
  readonly maxEjectionPercent: number;
  /** One host may always be ejected, however few there are. */
  readonly isOneAlwaysEjected: boolean;
  readonly isSplit: boolean;
  readonly consecutive5xx: number;
  readonly enforcing5xx: number;
  readonly consecutiveGateway: number;
  readonly enforcingGateway: number;
  readonly consecutiveLocal: number;
  readonly enforcingLocal: number;
  readonly successRate: SuccessRateConfig;
  readonly failurePercentage: FailurePercentageConfig;
}

export interface SuccessRateConfig {
  readonly minimumHosts: number;
  readonly requestVolume: number;
  /** Standard deviations below the mean. */
  readonly stdevFactor: number;
  readonly enforcing: number;
  readonly enforcingLocal: number;
}

export interface FailurePercentageConfig {
  readonly threshold: number;
  readonly minimumHosts: number;
  readonly requestVolume: number;
  readonly enforcing: number;
  readonly enforcingLocal: number;
}

/** One host may be ejected even if that exceeds `max_ejection_percent`, unless it is 0 or `always_eject_one_host` is false. */
export function compileOutlier(config: OutlierDetection, sink: IssueSink): OutlierConfig {
  checkRanges(config, sink);
  const baseEjectionMs = config.baseEjectionTime === undefined ? 30_000 : durationMs(config.baseEjectionTime);
  const maxEjectionMs = config.maxEjectionTime === undefined ? 300_000 : durationMs(config.maxEjectionTime);
  const maxEjectionPercent = config.maxEjectionPercent ?? 10;
  return {
    intervalMs: config.interval === undefined ? 10_000 : durationMs(config.interval),
    baseEjectionMs,
    maxEjectionMs: Math.max(baseEjectionMs, maxEjectionMs),
    jitterMs: durationMs(config.maxEjectionTimeJitter),
    maxEjectionPercent,
    isOneAlwaysEjected: config.alwaysEjectOneHost ?? maxEjectionPercent > 0,
    isSplit: config.splitExternalLocalOriginErrors === true,
    consecutive5xx: config.consecutive5xx ?? 5,
    enforcing5xx: config.enforcingConsecutive5xx ?? 100,
    consecutiveGateway: config.consecutiveGatewayFailure ?? 5,
    enforcingGateway: config.enforcingConsecutiveGatewayFailure ?? 0,
    consecutiveLocal: config.consecutiveLocalOriginFailure ?? 5,
    enforcingLocal: config.enforcingConsecutiveLocalOriginFailure ?? 100,
    successRate: {
      minimumHosts: config.successRateMinimumHosts ?? 5,
      requestVolume: config.successRateRequestVolume ?? 100,
      stdevFactor: (config.successRateStdevFactor ?? 1900) / 1000,
      enforcing: config.enforcingSuccessRate ?? 100,
      enforcingLocal: config.enforcingLocalOriginSuccessRate ?? 100,
    },
    failurePercentage: {
      threshold: config.failurePercentageThreshold ?? 85,
      minimumHosts: config.failurePercentageMinimumHosts ?? 5,
      requestVolume: config.failurePercentageRequestVolume ?? 50,
      enforcing: config.enforcingFailurePercentage ?? 0,
      enforcingLocal: config.enforcingFailurePercentageLocalOrigin ?? 0,
    },
  };
}

const percentages = {
  maxEjectionPercent: 'max_ejection_percent',
  enforcingConsecutive5xx: 'enforcing_consecutive_5xx',
  enforcingSuccessRate: 'enforcing_success_rate',
  enforcingConsecutiveGatewayFailure: 'enforcing_consecutive_gateway_failure',
  enforcingConsecutiveLocalOriginFailure: 'enforcing_consecutive_local_origin_failure',
  enforcingLocalOriginSuccessRate: 'enforcing_local_origin_success_rate',
  failurePercentageThreshold: 'failure_percentage_threshold',
  enforcingFailurePercentage: 'enforcing_failure_percentage',
  enforcingFailurePercentageLocalOrigin: 'enforcing_failure_percentage_local_origin',
} as const;

const durations = {
  interval: 'interval',
  baseEjectionTime: 'base_ejection_time',
  maxEjectionTime: 'max_ejection_time',
} as const;

function checkRanges(config: OutlierDetection, sink: IssueSink): void {
  for (const [key, field] of Object.entries(percentages)) {
    const value = config[key as keyof typeof percentages];
    if (value === undefined || value <= 100) continue;
    reportError(sinkAt(sink, field), 'WEFT0357', `${value} is no percentage; give a number from 0 to 100`);
  }
  for (const [key, field] of Object.entries(durations)) {
    const value = config[key as keyof typeof durations];
    if (value === undefined || durationMs(value) > 0) continue;
    reportError(sinkAt(sink, field), 'WEFT0358', 'the time must be more than zero');
  }
}
