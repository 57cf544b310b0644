// Every network filter there is, in one list: those that look at a connection, and those that take it.

import type { envoy } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import { typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import { compileHttpConnectionManager } from './http-connection-manager/compile.ts';
import type { CompilePlace, NetworkContext } from './network-context.ts';
import type { NetworkFilter, TerminalFilter } from './network-filter.ts';
import { compileNetworkRbac } from './rbac/config.ts';
import { compileTcpProxy } from './tcp-proxy/compile.ts';

const managerType = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const tcpProxyType = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
const rbacType = 'envoy.extensions.filters.network.rbac.v3.RBAC';
/** Istio's own, without effect on the bytes: it exchanges telemetry labels. */
const ignoredTypes: ReadonlySet<string> = new Set(['envoy.tcp.metadataexchange.config.MetadataExchange']);

/** One compiled chain of network filters. */
export interface NetworkChain {
  readonly filters: readonly NetworkFilter[];
  readonly terminal: TerminalFilter;
}

/** Compiles a chain; null after reporting errors. `bufferLimitBytes` is the listener's `per_connection_buffer_limit_bytes`. */
export function compileNetworkChain(
  configs: readonly envoy.config.listener.v3.Filter[],
  bufferLimitBytes: number | undefined,
  context: NetworkContext,
  place: CompilePlace,
): NetworkChain | null {
  const filters: NetworkFilter[] = [];
  let terminal: TerminalFilter | null = null;
  for (const [i, config] of configs.entries()) {
    const path = `${place.path}.filters[${i}]`;
    const type = config.typedConfig === undefined ? '' : typeNameOf(config.typedConfig);
    if (config.typedConfig === undefined || ignoredTypes.has(type)) continue;
    if (terminal !== null) {
      report(
        place,
        'WEFT0386',
        path,
        `the filter '${config.name ?? ''}' stands behind one that takes the connection; move it forward`,
      );
      continue;
    }
    const inner = { issues: place.issues, path: `${path}.typed_config` };
    try {
      if (type === managerType) {
        terminal = compileHttpConnectionManager(
          unpackAny(config.typedConfig, managerType),
          bufferLimitBytes,
          context,
          inner,
        );
        if (terminal === null) return null;
      } else if (type === tcpProxyType) {
        terminal = compileTcpProxy(unpackAny(config.typedConfig, tcpProxyType), context, inner);
        if (terminal === null) return null;
      } else if (type === rbacType) {
        const filter = compileNetworkRbac(config.typedConfig, context, inner);
        if (filter !== null) filters.push(filter);
      } else {
        report(
          place,
          'WEFT0387',
          path,
          `the network filter '${config.name ?? ''}' (${type || 'no typed_config'}) is not carried out`,
        );
      }
    } catch (error) {
      report(place, 'WEFT0388', inner.path, messageOf(error));
    }
  }
  if (terminal === null) {
    report(
      place,
      'WEFT0389',
      `${place.path}.filters`,
      'no filter takes the connection; end the chain with a connection manager or a TCP proxy',
    );
    return null;
  }
  return { filters, terminal };
}

function report(place: CompilePlace, code: string, path: string, message: string): void {
  place.issues.push({ code, level: 'error', path, message });
}
