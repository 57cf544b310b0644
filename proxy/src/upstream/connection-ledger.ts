// The books of a host's connections: what breaker and statistics hear of each, from the attempt until it is over.

import type { Clock } from '@weft/lib/clock';
import type { Host } from '../cluster/host.ts';
import { type Fault, fault } from '../fault/fault.ts';
import { type ConnectEvents, Connecting } from './connect.ts';

/**
 * Starts to connect, or null when the breaker forbids it. Whatever is started ends in one of the two functions below, once.
 * `header` is the PROXY protocol header for whom the connection is; without one it is the proxy's own, where the endpoint wants any.
 * `isFirst` says that the pool has none.
 */
export function openConnection(
  host: Host,
  clock: Clock,
  events: ConnectEvents,
  header: Buffer | null = null,
  isFirst = false,
): Connecting | null {
  const { cluster } = host;
  if (!cluster.breakers.tryConnection(isFirst)) {
    cluster.stats.upstreamCxOverflow.inc();
    return null;
  }
  cluster.stats.upstreamCxTotal.inc();
  cluster.stats.upstreamCxActive.inc();
  host.stats.cxTotal++;
  host.stats.cxActive++;
  return new Connecting(host, clock, events, header ?? host.proxyHeader?.forNobody ?? null);
}

/** It did not come to a connection. */
export function connectionFailed(host: Host, reason: Fault): void {
  const { stats } = host.cluster;
  stats.upstreamCxConnectFail.inc();
  if (reason === fault.connect_timeout) stats.upstreamCxConnectTimeout.inc();
  connectionOver(host);
}

/** The connection is closed, or given up before it was made. */
export function connectionOver(host: Host): void {
  const { cluster } = host;
  cluster.breakers.releaseConnection();
  cluster.stats.upstreamCxActive.dec();
  host.stats.cxActive--;
}
