// The pools of a host, made on first use and kept on the host, so that they live exactly as long.

import type { Clock } from '@weft/lib/clock';
import type { Breakers } from '../cluster/breaker/breakers.ts';
import type { Host } from '../cluster/host.ts';
import type { ConnectionInfo } from '../io/connection-info.ts';
import { AutoPool } from './auto-pool.ts';
import { Http1Pool } from './http1-pool.ts';
import { Http2Pool } from './http2-pool.ts';
import { TunnelPool } from './tunnel-pool.ts';
import type { UpstreamPool } from './upstream-stream.ts';

/** Pools for whoever may share connections: for requests, and for the bytes of CONNECT tunnels that end here. */
class SharedPools {
  private http1: Http1Pool | null = null;
  private http2: Http2Pool | null = null;
  private auto: AutoPool | null = null;
  private tunnels: UpstreamPool | null = null;
  private readonly host: Host;
  private readonly clock: Clock;
  private readonly header: Buffer | null;
  private readonly breakers: Breakers;

  constructor(host: Host, clock: Clock, header: Buffer | null, isHighPriority: boolean) {
    this.host = host;
    this.clock = clock;
    this.header = header;
    this.breakers = isHighPriority ? host.cluster.highBreakers : host.cluster.breakers;
  }

  ofHttp1(): Http1Pool {
    this.http1 ??= new Http1Pool(this.host, this.clock, this.header, this.breakers);
    return this.http1;
  }

  ofHttp2(): Http2Pool {
    this.http2 ??= new Http2Pool(this.host, this.clock, this.header, this.breakers);
    return this.http2;
  }

  negotiated(): UpstreamPool {
    const { host, clock, header, breakers } = this;
    this.auto ??= new AutoPool(host, clock, header, breakers, { http1: this.ofHttp1(), http2: this.ofHttp2() });
    return this.auto;
  }

  tunnel(): UpstreamPool {
    this.tunnels ??= new TunnelPool(this.host, this.clock, this.header, this.breakers);
    return this.tunnels;
  }

  drain(): void {
    this.http1?.drain();
    this.http2?.drain();
    this.auto?.drain();
    this.tunnels?.drain();
  }
}

class HostPools {
  private readonly host: Host;
  private readonly clock: Clock;
  private readonly shared: SharedPools;
  /** Of routes with high priority, which have limits of their own, so that they need connections of their own. */
  private high: SharedPools | null = null;
  /** Where the endpoint is told whom a connection is for: by what it is told. */
  private readonly byHeader: Map<string, SharedPools> = new Map();

  constructor(host: Host, clock: Clock) {
    this.host = host;
    this.clock = clock;
    this.shared = new SharedPools(host, clock, null, false);
    host.onRemoved = () => this.drain();
  }

  for(client: ConnectionInfo, isHighPriority: boolean): SharedPools {
    const writer = this.host.proxyHeader;
    if (writer !== null) return this.ownPools(client, writer.headerFor(client), isHighPriority);
    return isHighPriority ? this.ofHighPriority() : this.shared;
  }

  private ofHighPriority(): SharedPools {
    this.high ??= new SharedPools(this.host, this.clock, null, true);
    return this.high;
  }

  private ownPools(client: ConnectionInfo, header: Buffer, isHighPriority: boolean): SharedPools {
    const key = (isHighPriority ? 'high ' : '') + header.toString('latin1');
    const known = this.byHeader.get(key);
    if (known !== undefined) return known;
    const made = new SharedPools(this.host, this.clock, header, isHighPriority);
    this.byHeader.set(key, made);
    // Nobody else will say the same again: without this, connections would wait out their idle timeout for nothing.
    client.whenOver(() => {
      if (this.byHeader.get(key) === made) this.byHeader.delete(key);
      made.drain();
    });
    return made;
  }

  private drain(): void {
    this.shared.drain();
    this.high?.drain();
    for (const pools of this.byHeader.values()) pools.drain();
  }
}

/** What decides on the pool of a request. */
export interface PoolChoice {
  /** Who sends it. */
  readonly client: ConnectionInfo;
  /** A CONNECT whose bytes go to the host as they are. */
  readonly endsTunnel: boolean;
  /** By the route: which breakers of the cluster count. */
  readonly isHighPriority: boolean;
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
  const own = (pools as HostPools).for(choice.client, choice.isHighPriority);
  if (choice.endsTunnel) return own.tunnel();
  const { protocol } = host.cluster;
  // Without TLS there is no ALPN to ask, and HTTP/1.1 is what everybody speaks.
  if (protocol === 'auto' && host.tls !== null) return own.negotiated();
  const isHttp2 = protocol === 'http2' || (protocol === 'use-downstream' && choice.isHttp2Client);
  return isHttp2 ? own.ofHttp2() : own.ofHttp1();
}
