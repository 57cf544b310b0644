// Names of clusters, as Istio spells them: `outbound|9080|v1|reviews.default.svc.cluster.local`.

/** Where connections go that no service takes, under ALLOW_ANY: the caller's own destination. */
export const passthroughCluster = 'PassthroughCluster';
/** A cluster without endpoints. */
export const blackHoleCluster = 'BlackHoleCluster';

/** A service port, or one subset of it. */
export function outboundCluster(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`;
}

/** The workload's own port behind its sidecar. */
export function inboundCluster(port: number): string {
  return `inbound|${port}||`;
}

/** The server name that a sidecar puts into its ClientHello for such a cluster. */
export function clusterSni(port: number, subset: string, host: string): string {
  return `outbound_.${port}_.${subset}_.${host}`;
}
