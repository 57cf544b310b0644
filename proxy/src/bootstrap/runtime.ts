// The few runtime keys that Weft knows, read from the static layers of `layered_runtime` (Envoy: configuration that has no field).

import type { envoy, JsonObject } from '@weft/api/xds/types';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;

/** Values, or undefined where no layer says anything. */
export interface RuntimeValues {
  /** `overload.premature_reset_total_stream_count`: streams after which half of them reset early end an HTTP/2 connection. */
  readonly prematureResetStreams: number | undefined;
  /** `overload.premature_reset_min_stream_lifetime_seconds`: a stream that lived longer is not reset early. */
  readonly prematureResetSeconds: number | undefined;
}

export const noRuntime: RuntimeValues = { prematureResetStreams: undefined, prematureResetSeconds: undefined };

/** Reads them. */
export function readRuntime(bootstrap: Bootstrap): RuntimeValues {
  return {
    prematureResetStreams: runtimeNumber(bootstrap, 'overload.premature_reset_total_stream_count'),
    prematureResetSeconds: runtimeNumber(bootstrap, 'overload.premature_reset_min_stream_lifetime_seconds'),
  };
}

/** A whole number from 0, or undefined where no layer has one; a later layer wins. */
export function runtimeNumber(bootstrap: Bootstrap, key: string): number | undefined {
  const layers = (bootstrap.layeredRuntime?.layers ?? []).map((layer) => layer.staticLayer ?? {});
  const found = layers.map((layer) => lookUp(layer, key)).filter((value) => value !== undefined);
  const value = Number(found.at(-1));
  return found.length > 0 && Number.isInteger(value) && value >= 0 ? value : undefined;
}

// A key is written whole, or by its parts as nested structures.
function lookUp(layer: JsonObject, key: string): string | number | undefined {
  const whole = layer[key];
  if (typeof whole === 'string' || typeof whole === 'number') return whole;
  const dot = key.indexOf('.');
  const inner = dot < 0 ? undefined : layer[key.slice(0, dot)];
  return isObject(inner) ? lookUp(inner, key.slice(dot + 1)) : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
