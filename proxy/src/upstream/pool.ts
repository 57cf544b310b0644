// The pool of a host, made on first use and kept on the host, so that it lives exactly as long.

import type { Clock } from '@weft/lib/clock';
import type { Host } from '../cluster/host.ts';
import { Http1Pool } from './http1-pool.ts';
import { TunnelPool } from './tunnel-pool.ts';
import type { UpstreamPool } from './upstream-stream.ts';

/** The pools of one host: for requests, and for the bytes of CONNECT tunnels that end here. */
class HostPools {
  readonly requests: UpstreamPool;
  private tunnels: UpstreamPool | null = null;
  private readonly host: Host;
  private readonly clock: Clock;

  constructor(host: Host, clock: Clock) {
    this.host = host;
    this.clock = clock;
    this.requests = new Http1Pool(host, clock);
    host.onRemoved = () => this.drain();
  }

  tunnel(): UpstreamPool {
    this.tunnels ??= new TunnelPool(this.host, this.clock);
    return this.tunnels;
  }

  private drain(): void {
    this.requests.drain();
    this.tunnels?.drain();
  }
}

/** Where requests to this host start. `endsTunnel`: a CONNECT whose bytes go to the host as they are. */
export function poolOf(host: Host, endsTunnel: boolean, clock: Clock): UpstreamPool {
  let pools = host.pool;
  if (!(pools instanceof HostPools)) {
    pools = new HostPools(host, clock);
    host.pool = pools;
  }
  const own = pools as HostPools;
  return endsTunnel ? own.tunnel() : own.requests;
}
