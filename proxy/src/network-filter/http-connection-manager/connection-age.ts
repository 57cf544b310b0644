// How long a client's connection may serve, in time and in requests (Envoy: max_connection_duration, max_requests_per_connection).

import type { Timer } from '@weft/lib/clock';
import type { HttpConnectionManager } from './http-connection-manager.ts';

/** A connection that can be asked to end after what runs. */
export interface AgingServer {
  wearOut(): void;
}

export class ConnectionAge {
  private readonly manager: HttpConnectionManager;
  private readonly server: AgingServer;
  private readonly timer: Timer | null;
  private requestsLeft: number;

  constructor(manager: HttpConnectionManager, server: AgingServer) {
    this.manager = manager;
    this.server = server;
    this.requestsLeft = manager.maxRequestsPerConnection;
    const { clock, maxConnectionDurationMs } = manager;
    this.timer =
      maxConnectionDurationMs === 0 ? null : clock.start(maxConnectionDurationMs, onDue, this as ConnectionAge);
  }

  /** The request that reaches the limit is the last one. */
  onRequest(): void {
    if (this.requestsLeft === 0 || --this.requestsLeft > 0) return;
    this.manager.counters.maxRequestsReached.inc();
    this.server.wearOut();
  }

  onDue(): void {
    this.manager.counters.maxDurationReached.inc();
    this.server.wearOut();
  }

  stop(): void {
    this.timer?.stop();
  }
}

/** Null where nothing is limited: it costs one comparison per request then. */
export function ageOf(manager: HttpConnectionManager, server: AgingServer): ConnectionAge | null {
  const isLimited = manager.maxConnectionDurationMs > 0 || manager.maxRequestsPerConnection > 0;
  return isLimited ? new ConnectionAge(manager, server) : null;
}

function onDue(age: ConnectionAge): void {
  age.onDue();
}
