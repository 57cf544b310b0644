// What is counted of PROXY protocol headers, with Envoy's names.

import type { Counter, Scope, ScopeSource } from '@weft/lib/metrics';
import type { ProxyVersion } from '../../protocol/proxy-protocol/header.ts';

export interface VersionStats {
  readonly found: Counter;
  readonly disallowed: Counter;
  readonly error: Counter;
}

export class HeaderStats {
  readonly notFoundAllowed: Counter;
  readonly notFoundDisallowed: Counter;
  /** Connections closed for the want of a good header; older than the others, over all listeners. */
  readonly connectionError: Counter;
  private readonly v1: VersionStats;
  private readonly v2: VersionStats;

  constructor(metrics: ScopeSource, statPrefix: string) {
    const own = statPrefix === '' ? {} : { tag: 'envoy_proxy_protocol_prefix', value: statPrefix };
    const scope = metrics.scope({ prefix: 'proxy_proto', ...own });
    this.notFoundAllowed = scope.counter('not_found_allowed');
    this.notFoundDisallowed = scope.counter('not_found_disallowed');
    this.connectionError = metrics.scope({ prefix: '' }).counter('downstream_cx_proxy_proto_error');
    this.v1 = versionStats(scope, 'v1');
    this.v2 = versionStats(scope, 'v2');
  }

  of(version: ProxyVersion): VersionStats {
    return version === 1 ? this.v1 : this.v2;
  }
}

function versionStats(scope: Scope, name: string): VersionStats {
  return {
    found: scope.counter(`versions.${name}.found`),
    disallowed: scope.counter(`versions.${name}.disallowed`),
    error: scope.counter(`versions.${name}.error`),
  };
}
