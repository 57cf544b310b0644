// Which route configurations the listeners refer to, and how long each may keep its listener waiting.
import type { envoy } from '@weft/api/xds/types';
import { fetchTimeoutMs } from '@weft/lib/fetch-timeout';
import { ProtobufError, typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';

type Listener = envoy.config.listener.v3.Listener;

type Manager = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;

const managerType = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

/** Route name -> initial fetch timeout in milliseconds, 0 for waiting for ever. The longest wins where listeners disagree. */
export function routeNamesOf(listeners: Iterable<Listener>): Map<string, number> {
  const names = new Map<string, number>();
  for (const listener of listeners) for (const { rds } of managersOf(listener)) addName(rds, names);
  return names;
}

/** The connection managers of a listener. */
export function managersOf(listener: Listener): Manager[] {
  const chains = [...(listener.filterChains ?? []), listener.defaultFilterChain ?? {}];
  const configs = chains.flatMap(({ filters = [] }) => filters.map(({ typedConfig }) => typedConfig));
  return [...configs, listener.apiListener?.apiListener].flatMap((any) => {
    if (any === undefined || typeNameOf(any) !== managerType) return [];
    const manager = managerOf(any);
    return manager === null ? [] : [manager];
  });
}

function addName(rds: Manager['rds'], names: Map<string, number>): void {
  const name = rds?.routeConfigName;
  if (name === undefined || rds?.configSource === undefined) return;
  const timeoutMs = fetchTimeoutMs(rds.configSource);
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
