// For tests: what a proxy is given for a handful of resources, and the routes of it in few words.

import assert from 'node:assert/strict';
import type { AnyResource } from '@weft/api/resource/kind';
import type { MeshModel } from '../model/mesh.ts';
import { meshOf, resource } from '../model/model-kit.ts';
import { parseProxyNode } from './proxy-node.ts';
import type { ConfigSnapshot } from './snapshot.ts';
import { translateConfig } from './translate.ts';

/** A local sidecar of namespace `default`, or a gateway with the label of ingress, of that namespace. */
export function snapshotOf(
  resources: readonly AnyResource[] | MeshModel,
  type: 'sidecar' | 'router' = 'sidecar',
  namespace = 'default',
  local: Record<string, Record<string, number>> = { capture: { port: 15_100 } },
): ConfigSnapshot {
  const id = `${type}~127.0.0.1~a.${namespace}~${namespace}.svc.cluster.local`;
  const labels = type === 'router' ? { istio: 'ingressgateway' } : { app: 'a' };
  const node = parseProxyNode({ id, metadata: { LABELS: labels, WEFT_LOCAL: local } }, []);
  assert.ok(node !== null);
  return translateConfig('services' in resources ? resources : meshOf(resources), node);
}

/** Clusters (or statuses) of the routes of each virtual host of a table, by its name; without what is there for CONNECT. */
export function targetsOf(snapshot: ConfigSnapshot, table: string): Record<string, unknown[]> {
  const hosts = snapshot.routes.get(table)?.virtualHosts ?? [];
  return Object.fromEntries(
    hosts.map(({ name = '', routes = [] }) => [
      name,
      routes
        .filter(({ match }) => match?.connectMatcher === undefined)
        .map(({ route, directResponse }) => route?.cluster ?? directResponse?.status),
    ]),
  );
}

/** Service `web`, with ports 80 and 8080 for HTTP and 9000 for TCP. */
export const webService = resource('Service', 'web', {
  selector: { app: 'web' },
  ports: [
    { name: 'http', port: 80 },
    { name: 'http-more', port: 8080 },
    { name: 'tcp-raw', port: 9000 },
  ],
});

/** Where `web` is. */
export const webHost = 'web.default.svc.cluster.local';
