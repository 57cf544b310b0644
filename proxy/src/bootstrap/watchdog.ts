// What the bootstrap says of worker threads that hang: Envoy's `watchdogs`, or the older `watchdog` for all threads.

import type { envoy, google } from '@weft/api/xds/types';
import { durationMs } from '@weft/lib/protobuf/duration';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;

/** Milliseconds without a sign of life; 0 is never. */
export interface WatchdogTimes {
  /** Counted. */
  readonly missMs: number;
  /** Counted apart, and logged. */
  readonly megaMissMs: number;
  /** Replaced. */
  readonly killMs: number;
  /** At most so much later, at random. */
  readonly killJitterMs: number;
  /** Replaced when so many hang at the same time. */
  readonly multiKillMs: number;
  /** Percent of the workers; two at least. */
  readonly multiKillPercent: number;
}

const defaultMissMs = 200;
const defaultMegaMissMs = 1000;

/** The times for workers. */
export function readWorkerWatchdog({ watchdogs, watchdog }: Bootstrap): WatchdogTimes {
  const own = watchdogs?.workerWatchdog ?? watchdog ?? {};
  const read = (duration: google.protobuf.Duration | undefined, otherwise: number): number =>
    duration === undefined ? otherwise : durationMs(duration);
  return {
    missMs: read(own.missTimeout, defaultMissMs),
    megaMissMs: read(own.megamissTimeout, defaultMegaMissMs),
    killMs: read(own.killTimeout, 0),
    killJitterMs: read(own.maxKillTimeoutJitter, 0),
    multiKillMs: read(own.multikillTimeout, 0),
    multiKillPercent: own.multikillThreshold?.value ?? 0,
  };
}
