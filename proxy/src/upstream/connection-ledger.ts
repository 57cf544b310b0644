// The books of a host's connections: what breaker and statistics hear of each, from the attempt until it is over.

import type { Clock } from '@weft/lib/clock';
import type { Breakers } from '../cluster/breaker/breakers.ts';
import type { Host } from '../cluster/host.ts';
import { type Fault, fault } from '../fault/fault.ts';
import { type ConnectEvents, Connecting } from './connect.ts';

/** What a pool says of the connection that it wants. */
export interface ConnectionWish {
  /** Of the host's cluster, for the priority of the route; they hear when the connection is over. */
  readonly breakers: Breakers;
  /** The PROXY protocol header for whom it is; without one it is the proxy's own, where the endpoint wants any. */
  readonly header: Buffer | null;
  /** The pool has none yet. */
  readonly isFirst: boolean;
  /** What TLS offers by ALPN where the cluster does not say, as Envoy's pools do. */
  readonly alpnFallback: readonly string[];
}

/** Starts to connect, or null when the breaker forbids it. Whatever is started ends in one of the two functions below, once. */
export function openConnection(
  host: Host,
  clock: Clock,
  events: ConnectEvents,
  wish: ConnectionWish,
): Connecting | null {
  const { cluster } = host;
  const { breakers, isFirst } = wish;
  if (!breakers.tryConnection()) {
    // As Envoy: that the limit was met counts, also where it gives way.
    cluster.stats.upstreamCxOverflow.inc();
    if (!isFirst) return null;
    breakers.takeFirstConnection();
  }
  cluster.stats.upstreamCxTotal.inc();
  cluster.stats.upstreamCxActive.inc();
  host.stats.cxTotal++;
  host.stats.cxActive++;
  const header = wish.header ?? host.proxyHeader?.forNobody ?? null;
  return new Connecting(host, clock, events, header, wish.alpnFallback);
}

/** It did not come to a connection. */
export function connectionFailed(host: Host, breakers: Breakers, reason: Fault): void {
  const { stats } = host.cluster;
  stats.upstreamCxConnectFail.inc();
  if (reason === fault.connect_timeout) stats.upstreamCxConnectTimeout.inc();
  connectionOver(host, breakers);
}

/** The connection is closed, or given up before it was made. */
export function connectionOver(host: Host, breakers: Breakers): void {
  breakers.releaseConnection();
  host.cluster.stats.upstreamCxActive.dec();
  host.stats.cxActive--;
}
