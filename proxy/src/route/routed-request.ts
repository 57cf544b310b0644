// What routing reads of a request. Every exchange is one.

import type { Headers } from '@weft/lib/header';
import type { ConnectionInfo } from '../io/connection-info.ts';

/** The head of a request: what header matchers read. */
export interface RequestHead {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly headers: Headers;
}

export interface RoutedRequest extends RequestHead {
  /** [0, 1), drawn once per exchange so that every choice of it agrees. */
  readonly random: number;
  /** Whether the client came by TLS. */
  readonly tls: boolean;
  readonly connection: ConnectionInfo;
}

/** A request about to be sent on. */
export interface RewritableRequest extends RoutedRequest {
  path: string;
  authority: string;
}

/** Where the path ends and query or fragment begin. */
export function pathEnd(path: string): number {
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === 0x3f || code === 0x23) return i;
  }
  return path.length;
}

/** Host and port of an authority; the port is empty when it has none. */
export function splitAuthority(authority: string): { readonly host: string; readonly port: string } {
  const match = /^(.*?)(?::([0-9]*))?$/s.exec(authority);
  if (match === null || match[2] === undefined) return { host: authority, port: '' };
  // An IPv6 address without brackets has colons, not a port.
  const host = match[1] ?? '';
  return host.includes(':') && !host.endsWith(']') ? { host: authority, port: '' } : { host, port: match[2] };
}
