// Which route configurations the listeners refer to, and how long each may keep its listener waiting.
import type { envoy } from '@weft/api/xds/types';
import { ProtobufError, typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import { durationMs } from '@weft/lib/protobuf/duration';

type Listener = envoy.config.listener.v3.Listener;

const managerType = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

/** Envoy's default of `initial_fetch_timeout`. */
export const defaultFetchTimeoutMs = 15_000;

/** Route name -> initial fetch timeout in milliseconds, 0 for waiting for ever. The longest wins where listeners disagree. */
export function routeNamesOf(listeners: Iterable<Listener>): Map<string, number> {
  const names = new Map<string, number>();
  for (const listener of listeners) {
    for (const chain of [...(listener.filterChains ?? []), listener.defaultFilterChain ?? {}]) {
      for (const filter of chain.filters ?? []) addNames(filter.typedConfig, names);
    }
    addNames(listener.apiListener?.apiListener, names);
  }
  return names;
}

function addNames(any: { typeUrl: string; value: Uint8Array } | undefined, names: Map<string, number>): void {
  if (any === undefined || typeNameOf(any) !== managerType) return;
  const rds = managerOf(any)?.rds;
  const name = rds?.routeConfigName;
  if (name === undefined || rds?.configSource === undefined) return;
  const timeout = rds.configSource.initialFetchTimeout;
  const timeoutMs = timeout === undefined ? defaultFetchTimeoutMs : durationMs(timeout);
  const before = names.get(name);
  const isLonger = before === undefined || timeoutMs === 0 || (before !== 0 && timeoutMs > before);
  if (isLonger) names.set(name, timeoutMs);
}

/** Listeners are checked before; bytes that do not decode name no routes. */
function managerOf(any: { typeUrl: string; value: Uint8Array }) {
  try {
    return unpackAny(any, managerType);
  } catch (thrown) {
    if (thrown instanceof ProtobufError) return null;
    throw thrown;
  }
}
