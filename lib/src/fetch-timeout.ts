// How long one waits for what is to come from the control plane (`initial_fetch_timeout` of a ConfigSource).

import type { envoy } from '@weft/api/xds/types';
import { durationMs } from './protobuf/duration.ts';

/** Envoy's default, milliseconds. */
export const defaultFetchTimeoutMs = 15_000;

/** Milliseconds; 0 for ever. */
export function fetchTimeoutMs(source: envoy.config.core.v3.ConfigSource | undefined): number {
  const timeout = source?.initialFetchTimeout;
  return timeout === undefined ? defaultFetchTimeoutMs : durationMs(timeout);
}
