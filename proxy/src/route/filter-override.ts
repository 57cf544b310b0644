// `typed_per_filter_config` of table, virtual host, route and weighted cluster, compiled and laid over each other.

import type { google } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import { typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';

type Any = google.protobuf.Any;

/**
 * Compiles the override of one filter; the result is what `Route.filterOverride` gives. Reports to the sink. `below` is that of the less
 * specific level, or null.
 */
export type CompileOverride = (filterName: string, config: Any, sink: IssueSink, below: unknown) => unknown;

/** What a filter finds when it is switched off for a route. */
export const filterDisabled: unique symbol = Symbol('filter disabled');

export type Overrides = ReadonlyMap<string, unknown>;

const wrapper = 'envoy.config.route.v3.FilterConfig';

/** `below` is the less specific level; its entries hold where this level has none. */
export function compileOverrides(
  configs: Readonly<Record<string, Any>> | undefined,
  below: Overrides | null,
  compile: CompileOverride,
  sink: IssueSink,
): Overrides | null {
  if (configs === undefined) return below;
  const merged = new Map(below ?? []);
  for (const [name, config] of Object.entries(configs)) {
    const place = sinkAt(sink, `typed_per_filter_config["${name}"]`);
    const compiled = compileOne(config, place, (any, inner) => compile(name, any, inner, below?.get(name) ?? null));
    if (compiled !== null) merged.set(name, compiled);
  }
  return merged.size === 0 ? null : merged;
}

function compileOne(config: Any, sink: IssueSink, compile: (config: Any, sink: IssueSink) => unknown): unknown {
  try {
    if (typeNameOf(config) !== wrapper) return compile(config, sink);
    const { config: inner, disabled } = unpackAny(config, wrapper);
    if (disabled === true) return filterDisabled;
    return inner === undefined ? null : compile(inner, sinkAt(sink, 'config'));
  } catch (error) {
    return reportError(sink, 'WEFT0361', `the configuration cannot be decoded: ${messageOf(error)}`);
  }
}
