// A compiled route configuration: from the authority of a request to its virtual host, and from there to its route.

import type { Route } from './route.ts';
import { type RoutedRequest, splitAuthority } from './routed-request.ts';
import type { VirtualHost } from './virtual-host.ts';

/** Wildcard domains of one length. */
export interface WildcardGroup {
  readonly length: number;
  readonly hosts: ReadonlyMap<string, VirtualHost>;
}

export interface RouteTableFields {
  readonly name: string;
  /** Lower-case domains. */
  readonly exact: ReadonlyMap<string, VirtualHost>;
  /** `*.example.com` by `.example.com`, longest first. */
  readonly suffixes: readonly WildcardGroup[];
  /** `example.*` by `example.`, longest first. */
  readonly prefixes: readonly WildcardGroup[];
  readonly fallback: VirtualHost | null;
  readonly ignoresPort: boolean;
  readonly ignoresParameters: boolean;
  /** Every cluster a route may send to. */
  readonly clusters: ReadonlySet<string>;
  readonly virtualHosts: readonly VirtualHost[];
  readonly internalOnlyHeaders: readonly string[];
}

export class RouteTable {
  readonly name: string;
  readonly clusters: ReadonlySet<string>;
  readonly virtualHosts: readonly VirtualHost[];
  /** Lower-case names to take from requests that come from outside. */
  readonly internalOnlyHeaders: readonly string[];
  private readonly fields: RouteTableFields;

  constructor(fields: RouteTableFields) {
    this.name = fields.name;
    this.clusters = fields.clusters;
    this.virtualHosts = fields.virtualHosts;
    this.internalOnlyHeaders = fields.internalOnlyHeaders;
    this.fields = fields;
  }

  /** The route, with its cluster chosen where there are several; null when none matches. */
  match(request: RoutedRequest): Route | null {
    const virtualHost = this.findVirtualHost(request.authority);
    return virtualHost === null ? null : virtualHost.match(request, this.fields.ignoresParameters);
  }

  /** Exact, then the longest suffix, then the longest prefix, then `*`. */
  findVirtualHost(authority: string): VirtualHost | null {
    const { exact, ignoresPort, fallback } = this.fields;
    const known = exact.get(authority);
    if (known !== undefined && !ignoresPort) return known;
    const host = (ignoresPort ? splitAuthority(authority).host : authority).toLowerCase();
    if (host === '') return fallback;
    return exact.get(host) ?? this.findWildcard(host) ?? fallback;
  }

  private findWildcard(host: string): VirtualHost | null {
    for (const { length, hosts } of this.fields.suffixes) {
      // The star stands for at least one character.
      const found = host.length > length ? hosts.get(host.slice(-length)) : undefined;
      if (found !== undefined) return found;
    }
    for (const { length, hosts } of this.fields.prefixes) {
      const found = host.length > length ? hosts.get(host.slice(0, length)) : undefined;
      if (found !== undefined) return found;
    }
    return null;
  }
}
