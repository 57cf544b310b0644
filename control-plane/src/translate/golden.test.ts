// Translation goldens: testdata/<case>.golden.yaml holds a node and resources, a line of dashes, and the xDS they come to.
// `npm run golden` rewrites what follows the dashes; review it with git diff.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AnyResource, findKind } from '@weft/api/resource/kind';
import type { envoy } from '@weft/api/xds/types';
import { formatIssue, type Issue } from '@weft/lib/issue';
import { type MessageName, messageToJson } from '@weft/lib/protobuf/codec';
import { parseAllDocuments, stringify } from 'yaml';
import { buildMesh } from '../model/mesh.ts';
import { defaultSettings, type MeshSettings } from '../model/settings.ts';
import { worldOf } from '../store/world.ts';
import { parseProxyNode } from './proxy-node.ts';
import { translateConfig, translateEndpoints } from './translate.ts';

const folder = join(import.meta.dirname, 'testdata');
const divider = `${'-'.repeat(100)}\n`;
const isUpdate = process.env.WEFT_GOLDEN === 'update';

/** The first document of a case. */
interface Head {
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

function translateCase(text: string): string {
  const documents = parseAllDocuments(text);
  for (const document of documents) assert.deepEqual(document.errors, []);
  const [first, ...rest] = documents.map((document) => document.toJS() as unknown);
  const head = first as Head;
  const settings = { ...defaultSettings, ...head.settings };
  const issues: Issue[] = [];
  const node = parseProxyNode(head.node, issues);
  assert.ok(node !== null, issues.map(formatIssue).join('\n'));
  const mesh = buildMesh(worldOf(rest.filter((json) => json !== null).map(parseResource)), settings);
  const config = translateConfig(mesh, node);
  const endpoints = translateEndpoints(mesh, node, config);
  const sections: [string, MessageName, ReadonlyMap<string, object>][] = [
    ['listeners', 'envoy.config.listener.v3.Listener', config.listeners],
    ['routes', 'envoy.config.route.v3.RouteConfiguration', config.routes],
    ['clusters', 'envoy.config.cluster.v3.Cluster', config.clusters],
    ['endpoints', 'envoy.config.endpoint.v3.ClusterLoadAssignment', endpoints],
    ['secrets', 'envoy.extensions.transport_sockets.tls.v3.Secret', config.secrets],
  ];
  const pattern = new RegExp(head.names ?? '');
  const shown: Record<string, unknown[]> = {};
  for (const [section, type, messages] of sections) {
    if (head.show !== undefined && !head.show.includes(section)) continue;
    const named = [...messages].filter(([name]) => pattern.test(name));
    if (named.length > 0)
      shown[section] = named.map(([, message]) => messageToJson(type, message, { originalNames: true }));
  }
  return stringify(shown, { lineWidth: 0, aliasDuplicateObjects: false });
}

for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith('.golden.yaml')) continue;
  const path = join(folder, file);
  const whole = readFileSync(path, 'utf8');
  const at = whole.indexOf(divider);
  const input = at < 0 ? whole : whole.slice(0, at);
  const expected = at < 0 ? '' : whole.slice(at + divider.length);
  test(`translates ${file.replace('.golden.yaml', '')}`, () => {
    const actual = translateCase(input);
    if (isUpdate && actual !== expected) writeFileSync(path, `${input}${divider}${actual}`);
    if (isUpdate) return;
    assert.equal(actual, expected, `${file} is not what the translation makes; \`npm run golden\` accepts it`);
  });
}
