// What the admin pages read and change. `main.ts` implements it over the running parts; tests over plain values.

import type { envoy, google } from '@weft/api/xds/types';
import type { Clock } from '@weft/lib/clock';
import type { LogControl } from '@weft/lib/log';
import type { MetricsRegistry } from '@weft/lib/metrics';
import type { DecisionView } from '../telemetry/decisions.ts';

/** Envoy's words for where a server is in its life. */
export type ServerState = 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING';

export type ResourceKind = 'cluster' | 'listener' | 'route' | 'endpoint' | 'secret';

/** Where a version of a resource stands: from the bootstrap, in force, waiting for others, or on its way out. */
export type ResourceStage = 'static' | 'active' | 'warming' | 'draining';

/** Envoy's `ClientResourceStatus`. */
export type ClientStatus = 'UNKNOWN' | 'REQUESTED' | 'DOES_NOT_EXIST' | 'ACKED' | 'NACKED';

/** One version of one resource, as it came. */
export interface ResourceDump {
  readonly name: string;
  readonly stage: ResourceStage;
  /** Null while nothing has come (requested) or everything that came was refused. */
  readonly resource: google.protobuf.Any | null;
  /** Empty for static ones. */
  readonly version: string;
  readonly updatedWallMs: number;
  readonly clientStatus: ClientStatus;
  /** The latest update that was refused, or null. */
  readonly refused: RefusedUpdate | null;
}

export interface RefusedUpdate {
  readonly resource: google.protobuf.Any | null;
  readonly version: string;
  readonly details: string;
  readonly wallMs: number;
}

export interface HostReport {
  /** `ip:port` or the path of a socket. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly isPipe: boolean;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  readonly isEjected: boolean;
  readonly isCanary: boolean;
  /** As EDS said it: `HEALTHY`, `UNHEALTHY`, `DRAINING`, `TIMEOUT`, `DEGRADED`, `UNKNOWN`. */
  readonly edsHealth: string;
  readonly cxActive: number;
  readonly cxConnectFail: number;
  readonly cxTotal: number;
  readonly rqActive: number;
  readonly rqError: number;
  readonly rqSuccess: number;
  readonly rqTimeout: number;
  readonly rqTotal: number;
}

/** Limits; `Infinity` never opens. */
export interface BreakerReport {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

export interface ClusterReport {
  readonly name: string;
  readonly isAddedByApi: boolean;
  /** Empty when it is the cluster's own name. */
  readonly edsServiceName: string;
  /** Circuit breaker limits by priority. */
  readonly normal: BreakerReport;
  readonly high: BreakerReport;
  readonly hosts: readonly HostReport[];
}

export interface ListenerReport {
  readonly name: string;
  /** Empty for a listener without a socket of its own; a path for a Unix socket. */
  readonly address: string;
  readonly port: number;
}

export interface CertificateReport {
  /** Name of the secret, or the file it came from. */
  readonly path: string;
  readonly serial: string;
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  readonly ipSans: readonly string[];
  readonly validFromWallMs: number;
  readonly expiresWallMs: number;
}

/** One secret: the roots and the chain it holds. */
export interface CertificatesReport {
  readonly roots: readonly CertificateReport[];
  readonly chain: readonly CertificateReport[];
}

/** What the proxy still waits for before it is ready. */
export interface UnreadyReport {
  readonly name: string;
  readonly targets: readonly string[];
}

export interface DrainOptions {
  /** Ask clients to leave, and close the listeners when the drain time is over. */
  readonly isGraceful: boolean;
  /** With `isGraceful`: the listeners stay open after it. */
  readonly staysOpen: boolean;
  /** Only listeners with `traffic_direction: INBOUND`; the proxy stays ready for the rest. */
  readonly isInboundOnly: boolean;
}

/** Bytes. */
export interface MemoryReport {
  readonly heapUsed: number;
  readonly heapTotal: number;
  readonly external: number;
  readonly rss: number;
}

/** What has to come from other threads before a page is made, and what has to reach them before a change is answered. */
export interface PageWait {
  before(path: string): Promise<void>;
  after(): Promise<void>;
}

/** The running proxy, as far as the admin pages need it. */
export interface AdminState {
  /** `0.1.0` */
  readonly version: string;
  readonly clock: Clock;
  /** Wall time of the start. */
  readonly startedWallMs: number;
  readonly concurrency: number;
  readonly configPath: string;
  readonly metrics: MetricsRegistry;
  readonly logControl: LogControl;
  readonly decisions: DecisionView;
  /** The bootstrap as it was read. */
  readonly bootstrap: envoy.config.bootstrap.v3.Bootstrap;
  /** Null where everything is in this thread. */
  readonly wait: PageWait | null;
  serverState(): ServerState;
  resources(kind: ResourceKind): readonly ResourceDump[];
  /** The latest version of that kind the control plane sent as a whole, or empty. */
  versionInfo(kind: ResourceKind): string;
  clusters(): readonly ClusterReport[];
  listeners(): readonly ListenerReport[];
  certificates(): readonly CertificatesReport[];
  unready(): readonly UnreadyReport[];
  memory(): MemoryReport;
  /** Called before metrics are read: the place to set gauges such as uptime. */
  refreshMetrics(): void;
  drainListeners(options: DrainOptions): void;
  /** Begins the orderly end of the process. */
  quit(): void;
  /** Makes `/ready` say 503 until it is set back, so that load balancers turn away. */
  setHealthCheckFailed(isFailed: boolean): void;
}
