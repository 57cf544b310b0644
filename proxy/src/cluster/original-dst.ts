// Hosts of an ORIGINAL_DST cluster, made when a request wants to go where it was going anyway, and forgotten when idle.

import { isIP } from 'node:net';
import type { Clock, Timer } from '@weft/lib/clock';
import type { Cluster, PickContext } from './cluster.ts';
import type { OriginalDstConfig } from './cluster-config.ts';
import { type EndpointSpec, hostKey } from './endpoint-spec.ts';
import type { Host } from './host.ts';

/** Past this many destinations the one unused for longest is forgotten. */
const maxHosts = 4096;

interface Destination {
  readonly address: string;
  readonly port: number;
}

export class OriginalDstHosts {
  private readonly cluster: Cluster;
  private readonly config: OriginalDstConfig;
  private readonly clock: Clock;
  /** In order of last use. */
  private readonly hosts: Map<string, Host> = new Map();
  private readonly usedSinceSweep: Set<Host> = new Set();
  private timer: Timer | null = null;

  constructor(cluster: Cluster, config: OriginalDstConfig, clock: Clock) {
    this.cluster = cluster;
    this.config = config;
    this.clock = clock;
  }

  get size(): number {
    return this.hosts.size;
  }

  all(): Host[] {
    return [...this.hosts.values()];
  }

  /** The host for that destination, or null when it names none. */
  pick(context: PickContext): Host | null {
    const destination = this.destinationOf(context);
    if (destination === null) return null;
    const key = hostKey(destination.address, destination.port);
    const host = this.hosts.get(key) ?? this.makeHost(key, destination);
    // Inserted again: the order of a Map is the order of last use.
    this.hosts.delete(key);
    this.hosts.set(key, host);
    this.usedSinceSweep.add(host);
    return host;
  }

  private destinationOf(context: PickContext): Destination | null {
    const { takesNames, portOverride } = this.config;
    const override = this.overrideOf(context);
    const text = override === undefined ? context.originalDestination : takesNames ? withPort(override) : override;
    const destination = parseDestination(text);
    // A header is the client's word; as in Envoy it names addresses only, unless the control plane sees to what it holds.
    const isAllowed = destination !== null && (takesNames || isIP(destination.address) !== 0);
    if (override !== undefined && !isAllowed) {
      this.cluster.stats.scope.counter('original_dst_host_invalid').inc();
      return null;
    }
    if (destination === null || portOverride === 0) return destination;
    return { address: destination.address, port: portOverride };
  }

  private overrideOf({ headers, authority }: PickContext): string | undefined {
    const { header } = this.config;
    if (header === null) return undefined;
    // Is no field of its own here; under either name, as in Envoy.
    if (header === ':authority' || header === 'host') return authority || undefined;
    return headers?.get(header);
  }

  private makeHost(key: string, destination: Destination): Host {
    if (this.hosts.size >= maxHosts) this.forgetOldest();
    const host = this.cluster.makeHost(specOf(key, destination));
    this.timer ??= this.startTimer();
    this.hosts.set(key, host);
    this.cluster.onMembership(this.hosts.size, 1);
    return host;
  }

  private forgetOldest(): void {
    for (const [key, host] of this.hosts) {
      if (host.active > 0) continue;
      this.forget(key, host);
      return;
    }
  }

  private forget(key: string, host: Host): void {
    this.hosts.delete(key);
    this.usedSinceSweep.delete(host);
    host.remove();
    this.cluster.onMembership(this.hosts.size, 1);
  }

  private startTimer(): Timer {
    return this.clock.start(this.config.cleanupMs, onSweep, this as OriginalDstHosts);
  }

  sweep(): void {
    for (const [key, host] of this.hosts) {
      if (host.active === 0 && !this.usedSinceSweep.has(host)) this.forget(key, host);
    }
    this.usedSinceSweep.clear();
    this.timer = this.hosts.size === 0 ? null : this.startTimer();
  }

  stop(): void {
    this.timer?.stop();
    this.timer = null;
    for (const [key, host] of [...this.hosts]) this.forget(key, host);
  }
}

// The authority of `http://name/` says no port.
function withPort(authority: string): string {
  return /^(?:[^:]+|\[.*\])$/.test(authority) ? `${authority}:80` : authority;
}

/** `1.2.3.4:80`, `[::1]:80` or `name:443`. */
export function parseDestination(text: string | null): Destination | null {
  if (text === null) return null;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):([0-9]{1,5})$/.exec(text);
  if (match === null) return null;
  const address = match[1] ?? match[2] ?? '';
  const port = Number(match[3]);
  if (port < 1 || port > 65_535 || (match[1] !== undefined && isIP(address) !== 6)) return null;
  return { address, port };
}

function specOf(key: string, { address, port }: Destination): EndpointSpec {
  return {
    key,
    address,
    port,
    isPipe: false,
    internalListener: null,
    hostname: isIP(address) === 0 ? address : '',
    weight: 1,
    health: 'healthy',
    edsHealth: 'HEALTHY',
    metadata: null,
    locality: null,
    priority: 0,
  };
}

function onSweep(hosts: OriginalDstHosts): void {
  hosts.sweep();
}
