// Clusters of everything a proxy can call: one per service port, one more per subset.

import type { envoy } from '@weft/api/xds/types';
import type { Origin } from '@weft/lib/issue';
import type { Endpoint } from '../../model/endpoint.ts';
import { isHttp } from '../../model/protocol.ts';
import type { MeshPort, MeshService } from '../../model/service.ts';
import { blackHoleCluster, outboundCluster, passthroughCluster } from '../cluster-name.ts';
import { adsSource } from '../message.ts';
import { originMetadata, weftMetadataKey } from '../origin-metadata.ts';
import type { ProxyNode } from '../proxy-node.ts';
import type { Reach, Target } from '../reach.ts';
import { effectivePolicy } from '../route/traffic-policy.ts';
import type { Cluster } from '../snapshot.ts';
import { withProxyHeader } from './cluster-proxy-header.ts';
import { clusterSettings } from './cluster-settings.ts';
import { clusterTls, type SpokenProtocol, type SystemRoots, systemRoots, systemRootsByFile } from './cluster-tls.ts';
import { loadAssignment } from './endpoints.ts';
import { upstreamProtocolOptions, usesHttp2 } from './upstream-protocol.ts';

/** Clusters of all services in reach. */
export function outboundClusters(reach: Reach, { isWeft }: ProxyNode): readonly Cluster[] {
  if (isWeft) return reach.once('clusters', () => makeClusters(reach, systemRoots));
  return reach.once('clusters of Envoy', () => makeClusters(reach, systemRootsByFile));
}

function makeClusters(reach: Reach, roots: SystemRoots): Cluster[] {
  const clusters: Cluster[] = [];
  for (const service of reach.services.values()) {
    for (const port of service.ports) clusters.push(...portClusters(service, port, reach, roots));
  }
  return clusters;
}

/** Weft's proxy then goes to names as well, where Envoy wants addresses: what explicit capture is asked for is a name. */
const takesNames = { takesNames: true };
const namedDestination = { filterMetadata: { [weftMetadataKey]: takesNames } };

/** `PassthroughCluster` and `BlackHoleCluster`. `byName` where requests say where they go, not the connection. */
export function catchAllClusters(byName: boolean): Cluster[] {
  return [
    {
      name: passthroughCluster,
      type: 'ORIGINAL_DST',
      connectTimeout: { seconds: 10 },
      lbPolicy: 'CLUSTER_PROVIDED',
      ...(byName ? { originalDstLbConfig: { useHttpHeader: true }, metadata: namedDestination } : {}),
    },
    { name: blackHoleCluster, type: 'STATIC', connectTimeout: { seconds: 10 } },
  ];
}

function portClusters(service: MeshService, port: MeshPort, reach: Reach, roots: SystemRoots): Cluster[] {
  const rule = reach.ruleOf(service);
  const subsets = rule?.subsets ?? [];
  return [
    cluster(targetOf(service, port, ''), reach, service.origin, roots),
    ...subsets.map(({ subset, origin }) => cluster(targetOf(service, port, subset.name), reach, origin, roots)),
  ];
}

function targetOf(service: MeshService, port: MeshPort, subset: string): Target {
  return { cluster: outboundCluster(port.number, subset, service.host), service, port, subset };
}

function cluster(target: Target, reach: Reach, origin: Origin, systemRoots: SystemRoots): Cluster {
  const { service, port, subset } = target;
  const policy = effectivePolicy(reach.ruleOf(service), subset, port.number);
  const endpoints = reach.endpointsOf(service, port, subset);
  const options = upstreamProtocolOptions(port.protocol, policy);
  const spoken: SpokenProtocol = usesHttp2(port.protocol, policy) ? 'http2' : isHttp(port.protocol) ? 'http1' : 'tcp';
  const settings = clusterSettings(policy);
  const transport = clusterTls({
    target,
    tls: policy.tls,
    spoken,
    endpoints: service.isExternal ? [] : endpoints,
    systemRoots,
  });
  return {
    name: target.cluster,
    ...settings,
    ...discovery(target, endpoints, settings),
    ...(options === undefined ? {} : { typedExtensionProtocolOptions: options }),
    ...withProxyHeader(transport, policy.proxyProtocol),
    metadata: clusterMetadata(target, origin),
  };
}

/** `weft.dev` also names the service, for telemetry. */
function clusterMetadata({ service, subset }: Target, origin: Origin): envoy.config.core.v3.Metadata {
  const metadata = originMetadata(origin).filterMetadata ?? {};
  return {
    filterMetadata: {
      'weft.dev': {
        ...metadata['weft.dev'],
        ...(service.resolution === 'none' ? takesNames : {}),
        service: { host: service.host, namespace: service.namespace, ...(subset === '' ? {} : { subset }) },
      },
    },
  };
}

function discovery(target: Target, endpoints: readonly Endpoint[], settings: Cluster): Cluster {
  const { service, cluster: name } = target;
  if (service.resolution === 'none' || settings.lbPolicy === 'CLUSTER_PROVIDED') {
    return { type: 'ORIGINAL_DST', lbPolicy: 'CLUSTER_PROVIDED', originalDstLbConfig: { useHttpHeader: true } };
  }
  if (service.resolution === 'static') return { type: 'EDS', edsClusterConfig: { edsConfig: adsSource } };
  return {
    type: service.resolution === 'dns' ? 'STRICT_DNS' : 'LOGICAL_DNS',
    dnsLookupFamily: 'V4_PREFERRED',
    dnsRefreshRate: { seconds: 60 },
    respectDnsTtl: true,
    loadAssignment: loadAssignment(name, endpoints),
  };
}
