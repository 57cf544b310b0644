// What the statistics of a cluster say about one connection to a host, from the moment it stands until its socket is closed.

import type { Clock } from '@weft/lib/clock';
import { type Placed, PlacedSet } from '@weft/lib/placed-set';
import type { ClusterStats } from '../cluster/cluster-stats.ts';
import type { Connection, ConnectionWatcher } from '../io/connection.ts';

/** Connections that are open now, process-wide, so that their bytes can be counted before they end. */
const open = new PlacedSet<ConnectionRecord>();

/** Adds the bytes of connections that are still open to their clusters' counters; for whoever is about to show them. */
export function countOpenBytes(): void {
  for (const record of open.all()) record.countBytes();
}

export class ConnectionRecord implements ConnectionWatcher, Placed {
  place = -1;
  private readonly connection: Connection;
  private readonly stats: ClusterStats;
  private readonly clock: Clock;
  private readonly startMs: number;
  private countedRead = 0;
  private countedWritten = 0;

  constructor(connection: Connection, stats: ClusterStats, clock: Clock) {
    this.connection = connection;
    this.stats = stats;
    this.clock = clock;
    this.startMs = clock.now();
    connection.watcher = this;
    open.add(this);
  }

  countBytes(): void {
    const { connection, stats } = this;
    stats.upstreamCxRxBytesTotal.value += connection.bytesRead - this.countedRead;
    stats.upstreamCxTxBytesTotal.value += connection.bytesWritten - this.countedWritten;
    this.countedRead = connection.bytesRead;
    this.countedWritten = connection.bytesWritten;
  }

  onConnectionOver(endedByPeer: boolean): void {
    open.delete(this);
    this.countBytes();
    const { stats } = this;
    stats.upstreamCxDestroy.value++;
    if (endedByPeer) stats.upstreamCxDestroyRemote.value++;
    else stats.upstreamCxDestroyLocal.value++;
    stats.upstreamCxLengthMs.record(this.clock.now() - this.startMs);
  }
}
