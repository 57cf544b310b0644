// All that a sidecar gets: in the local mesh by explicit capture, elsewhere in Istio's shape.

import { catchAllClusters, outboundClusters } from '../cluster/outbound-clusters.ts';
import { socketAddress } from '../message.ts';
import type { ProxyNode, WeftLocal } from '../proxy-node.ts';
import type { Reach } from '../reach.ts';
import { byName, type ConfigSnapshot, type Listener } from '../snapshot.ts';
import { type CaptureResources, captureResources } from './capture.ts';
import { localInbound } from './inbound.ts';
import { redirectedSidecar } from './redirected.ts';
import { tcpListener } from './tcp-listener.ts';

export function sidecarSnapshot(reach: Reach, node: ProxyNode): Omit<ConfigSnapshot, 'secrets'> {
  return node.local === null ? redirectedSidecar(reach, node) : localSidecar(reach, node, node.local);
}

function localSidecar(reach: Reach, node: ProxyNode, local: WeftLocal): Omit<ConfigSnapshot, 'secrets'> {
  const inbound = localInbound(reach.mesh, node, local.inbound ?? []);
  const capture: CaptureResources =
    local.capture === undefined
      ? { listeners: [], routes: [], clusters: [] }
      : captureResources(reach, local.capture.port, local.capture.credentialSha256);
  const tcp = (local.tcp ?? []).flatMap((entry) => localTcpListener(reach, entry));
  return {
    listeners: byName([...inbound.listeners, ...capture.listeners, ...tcp]),
    routes: byName(capture.routes),
    clusters: byName([
      ...outboundClusters(reach, node),
      ...catchAllClusters(true),
      ...inbound.clusters,
      ...capture.clusters,
    ]),
  };
}

/** A TCP service on a loopback port of its own; nothing while there is no such service. */
function localTcpListener(reach: Reach, entry: NonNullable<WeftLocal['tcp']>[number]): Listener[] {
  const service = reach.services.get(entry.host);
  const port = service?.ports.find(({ number }) => number === entry.port);
  if (service === undefined || port === undefined) return [];
  const fields: Listener = {
    name: `tcp|${port.number}|${service.host}`,
    address: socketAddress('127.0.0.1', entry.listenPort),
    trafficDirection: 'OUTBOUND',
  };
  return [tcpListener(fields, service, port, reach)];
}
