// A host: the running state of one configured endpoint. It outlives updates of its cluster as long as its address stays.

import type { JsonObject } from '@weft/api/xds/types';
import { type Fault, fault } from '../fault/fault.ts';
import type { UpstreamNames, UpstreamTls } from '../security/upstream-tls.ts';
import type { Cluster } from './cluster.ts';
import type { EndpointSpec, Locality } from './endpoint-spec.ts';
import type { OutlierState } from './outlier/outlier-state.ts';
import type { ProxyHeaderWriter } from './proxy-header.ts';
import type { EndpointTransport } from './transport.ts';

/** What EDS says about an endpoint: `healthy` covers UNKNOWN, `unhealthy` covers DRAINING and TIMEOUT. */
export type EndpointHealth = 'healthy' | 'degraded' | 'unhealthy';

const connectFaults: ReadonlySet<Fault> = new Set([fault.connect_failed, fault.connect_timeout, fault.tls_failed]);

/** Adds nothing to the TLS settings. */
export const noNames: UpstreamNames = Object.freeze({});

/** Counts of one host, as `/clusters` shows them. */
export class HostStats {
  cxTotal = 0;
  cxActive = 0;
  cxConnectFail = 0;
  rqTotal = 0;
  rqSuccess = 0;
  rqError = 0;
  rqTimeout = 0;
}

export class Host {
  readonly cluster: Cluster;
  /** `ip:port`, `host:port`, `pipe:/path` or `internal:listener/endpoint`: the identity of a host within its cluster. */
  readonly key: string;
  /** IP address or, for clusters that resolve late, a name. The path of a Unix socket when `isPipe`. */
  address: string;
  readonly port: number;
  readonly isPipe: boolean;
  /** Name of the internal listener to hand the connection to, or null. */
  readonly internalListener: string | null;
  /** The name it was configured by, for `auto_host_rewrite` and SNI; empty when none. */
  hostname: string;
  weight: number;
  metadata: JsonObject | null;
  locality: Locality | null;
  priority: number;
  health: EndpointHealth;
  /** What EDS said, verbatim, for `/clusters`. */
  edsHealth: string;
  /** Requests in flight. */
  active = 0;
  /** May be picked: EDS does not forbid it and it is not ejected. A degraded host is healthy here. */
  healthy: boolean;
  outlier: OutlierState | null = null;
  /** Its connections; one pool, set by upstream. */
  pool: unknown = null;
  /** By `transport_socket_matches`, else the cluster's. */
  readonly transport: EndpointTransport;
  /** How to encrypt towards this endpoint, or null. */
  readonly tls: UpstreamTls | null;
  /** What tells this endpoint whom a connection is for, or null. */
  readonly proxyHeader: ProxyHeaderWriter | null;
  /** What the endpoint adds to the TLS settings; its own name with `auto_sni` and `auto_san_validation`. */
  readonly tlsNames: UpstreamNames;
  readonly stats: HostStats = new HostStats();
  /** No longer configured: finish what runs, take nothing new. */
  removed = false;
  /** Set by the pool; called once when the host is removed. */
  onRemoved: (() => void) | null = null;

  constructor(cluster: Cluster, spec: EndpointSpec, transport: EndpointTransport, tlsNames: UpstreamNames = noNames) {
    this.cluster = cluster;
    this.key = spec.key;
    this.address = spec.address;
    this.port = spec.port;
    this.isPipe = spec.isPipe;
    this.internalListener = spec.internalListener;
    this.hostname = spec.hostname;
    this.weight = spec.weight;
    this.metadata = spec.metadata;
    this.locality = spec.locality;
    this.priority = spec.priority;
    this.health = spec.health;
    this.edsHealth = spec.edsHealth;
    this.healthy = spec.health !== 'unhealthy';
    this.transport = transport;
    this.tls = transport.tls;
    this.proxyHeader = transport.proxyHeader;
    this.tlsNames = tlsNames;
  }

  /** Takes over what an update may change without losing connections; true when the balancer must look again. */
  update(spec: EndpointSpec): boolean {
    const changed =
      this.weight !== spec.weight ||
      this.health !== spec.health ||
      this.priority !== spec.priority ||
      !sameLocality(this.locality, spec.locality);
    // Differs only for logical DNS: connections there are stay, new ones go to the new address.
    this.address = spec.address;
    this.hostname = spec.hostname;
    this.weight = spec.weight;
    this.metadata = spec.metadata;
    this.locality = spec.locality;
    this.priority = spec.priority;
    this.health = spec.health;
    this.edsHealth = spec.edsHealth;
    this.refreshHealth();
    return changed;
  }

  /** Recomputes `healthy` from EDS and ejection. */
  refreshHealth(): void {
    this.healthy = this.health !== 'unhealthy' && this.outlier?.isEjected !== true;
  }

  /** A request starts on this host; paired with `onRequestEnd`. */
  onRequestStart(): void {
    this.active++;
    this.cluster.stats.upstreamRqActive.value++;
  }

  /** It has a connection, and is sent. */
  onRequestSent(): void {
    this.stats.rqTotal++;
    this.cluster.stats.upstreamRqTotal.value++;
  }

  /** It had none, and was not sent. What that says of the host, the connection tells. */
  onRequestUnsent(reason: Fault): void {
    if (reason.source === 'upstream') this.stats.rqError++;
  }

  onRequestEnd(): void {
    this.active--;
    this.cluster.stats.upstreamRqActive.value--;
  }

  /** The status of a response from this host, or of the local reply that stands for its silence (504). */
  onRequestResult(status: number): void {
    if (status >= 500) this.stats.rqError++;
    else this.stats.rqSuccess++;
    this.outlier?.onStatus(status);
  }

  /** The request failed without a usable response. What is no fault of the host is not held against it. */
  onRequestFailed(reason: Fault): void {
    if (reason.source !== 'upstream') return;
    this.stats.rqError++;
    if (reason.status === 504) this.stats.rqTimeout++;
    // Failed connections are told apart by `onConnectResult`, once for all requests that waited for one.
    if (connectFaults.has(reason)) return;
    if (this.outlier === null) return;
    if (reason.status === 504) this.outlier.onLocalFailure(504);
    else this.outlier.onLocalFailure(503);
  }

  /** The time for a request it has was over. As in Envoy, a host that has begun to answer is not ejected for how long that takes. */
  onRequestTimeout(isAnswering: boolean): void {
    if (isAnswering) this.stats.rqTimeout++;
    else this.onRequestFailed(fault.request_timeout);
  }

  /** Whether a connection (with its TLS handshake) could be made for an HTTP request. */
  onConnectResult(ok: boolean): void {
    if (!ok) this.stats.cxConnectFail++;
    if (this.outlier === null) return;
    if (ok) this.outlier.onConnected();
    else this.outlier.onLocalFailure(503);
  }

  /** A connection could not be made for an HTTP request. What is no fault of the host is not held against it. */
  onConnectFailed(reason: Fault): void {
    if (reason.source === 'upstream') this.onConnectResult(false);
  }

  /** As `onConnectResult`, for raw connections, where connecting is all there is to judge by. */
  onTcpConnectResult(ok: boolean): void {
    this.onConnectResult(ok);
    if (ok) this.outlier?.onTcpSuccess();
  }

  /** Told by its cluster that it is configured no more. */
  remove(): void {
    if (this.removed) return;
    this.removed = true;
    this.outlier?.onRemoved();
    this.onRemoved?.();
  }
}

function sameLocality(a: Locality | null, b: Locality | null): boolean {
  if (a === b) return true;
  return a !== null && b !== null && a.region === b.region && a.zone === b.zone && a.subZone === b.subZone;
}
