// The pool of a host, made on first use and kept on the host, so that it lives exactly as long.

import type { Clock } from '@weft/lib/clock';
import type { Host } from '../cluster/host.ts';
import { Http1Pool } from './http1-pool.ts';
import { Http2Pool } from './http2-pool.ts';
import { TunnelPool } from './tunnel-pool.ts';
import type { UpstreamPool } from './upstream-stream.ts';

/** The pools of one host: for requests, and for the bytes of CONNECT tunnels that end here. */
class HostPools {
  private http1: UpstreamPool | null = null;
  private http2: UpstreamPool | null = null;
  private tunnels: UpstreamPool | null = null;
  private readonly host: Host;
  private readonly clock: Clock;

  constructor(host: Host, clock: Clock) {
    this.host = host;
    this.clock = clock;
    host.onRemoved = () => this.drain();
  }

  requests(isHttp2: boolean): UpstreamPool {
    if (isHttp2) {
      this.http2 ??= new Http2Pool(this.host, this.clock);
      return this.http2;
    }
    this.http1 ??= new Http1Pool(this.host, this.clock);
    return this.http1;
  }

  tunnel(): UpstreamPool {
    this.tunnels ??= new TunnelPool(this.host, this.clock);
    return this.tunnels;
  }

  private drain(): void {
    this.http1?.drain();
    this.http2?.drain();
    this.tunnels?.drain();
  }
}

/** What decides on the pool of a request. */
export interface PoolChoice {
  /** A CONNECT whose bytes go to the host as they are. */
  readonly endsTunnel: boolean;
  /** The client speaks HTTP/2, for clusters that speak as their clients do. */
  readonly isHttp2Client: boolean;
}

/** Where requests to this host start. */
export function poolOf(host: Host, choice: PoolChoice, clock: Clock): UpstreamPool {
  let pools = host.pool;
  if (!(pools instanceof HostPools)) {
    pools = new HostPools(host, clock);
    host.pool = pools;
  }
  const own = pools as HostPools;
  if (choice.endsTunnel) return own.tunnel();
  const { protocol } = host.cluster;
  return own.requests(protocol === 'http2' || (protocol === 'use-downstream' && choice.isHttp2Client));
}
