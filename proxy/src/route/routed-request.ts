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
