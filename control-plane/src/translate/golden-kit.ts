// For tests: what a golden file says, and what the translation makes of it.

import assert from 'node:assert/strict';
import { type AnyResource, findKind } from '@weft/api/resource/kind';
import type { envoy } from '@weft/api/xds/types';
import { formatIssue, type Issue } from '@weft/lib/issue';
import type { MessageName } from '@weft/lib/protobuf/codec';
import { parseAllDocuments } from 'yaml';
import { buildMesh, type MeshModel } from '../model/mesh.ts';
import { defaultSettings, type MeshSettings } from '../model/settings.ts';
import { worldOf } from '../store/world.ts';
import { parseProxyNode } from './proxy-node.ts';
import { translateConfig, translateEndpoints } from './translate.ts';

/** What stands between a case and what it comes to. */
export const goldenDivider = `${'-'.repeat(100)}\n`;

/** The first document of a case. */
export interface GoldenHead {
  /** One sentence. */
  case: string;
  node: envoy.config.core.v3.Node;
  settings?: Partial<MeshSettings>;
  /** Types to write down, all by default; `names` keeps what fits the pattern. */
  show?: readonly string[];
  names?: string;
}

function parseResource(json: unknown): AnyResource {
  const { apiVersion, kind } = json as { apiVersion: string; kind: string };
  const info = findKind(apiVersion, kind);
  assert.ok(info !== null, `no kind ${apiVersion} ${kind}`);
  const parsed = info.schema.safeParse(json);
  assert.ok(parsed.success, `${kind}: ${parsed.error?.message}`);
  const resource = parsed.data as AnyResource & { stringData?: Record<string, string> };
  resource.metadata.namespace ??= 'default';
  if (resource.kind !== 'Secret' || resource.stringData === undefined) return resource;
  const data = Object.entries(resource.stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return { ...resource, data: Object.fromEntries(data) };
}

/** The resources of one type, by name. */
export interface GoldenSection {
  readonly name: 'listeners' | 'routes' | 'clusters' | 'endpoints' | 'secrets';
  readonly type: MessageName;
  readonly messages: ReadonlyMap<string, object>;
}

/** What a case says: the text above the divider. */
export function parseGolden(text: string): { readonly head: GoldenHead; readonly mesh: MeshModel } {
  const documents = parseAllDocuments(text);
  for (const document of documents) assert.deepEqual(document.errors, []);
  const [first, ...rest] = documents.map((document) => document.toJS() as unknown);
  const head = first as GoldenHead;
  const world = worldOf(rest.filter((json) => json !== null).map(parseResource));
  return { head, mesh: buildMesh(world, { ...defaultSettings, ...head.settings }) };
}

/** Translates a case. */
export function translateGolden(text: string): {
  readonly head: GoldenHead;
  readonly sections: readonly GoldenSection[];
} {
  const { head, mesh } = parseGolden(text);
  const issues: Issue[] = [];
  const node = parseProxyNode(head.node, issues);
  assert.ok(node !== null, issues.map(formatIssue).join('\n'));
  const config = translateConfig(mesh, node);
  const endpoints = translateEndpoints(mesh, node, config);
  const sections: readonly GoldenSection[] = [
    { name: 'listeners', type: 'envoy.config.listener.v3.Listener', messages: config.listeners },
    { name: 'routes', type: 'envoy.config.route.v3.RouteConfiguration', messages: config.routes },
    { name: 'clusters', type: 'envoy.config.cluster.v3.Cluster', messages: config.clusters },
    { name: 'endpoints', type: 'envoy.config.endpoint.v3.ClusterLoadAssignment', messages: endpoints },
    { name: 'secrets', type: 'envoy.extensions.transport_sockets.tls.v3.Secret', messages: config.secrets },
  ];
  return { head, sections };
}
