// `/config_dump`: what the proxy was told, in the envelope of Envoy's `envoy.admin.v3.ConfigDump`, without secrets.

import type { google } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import { isMessageName, messageToJson, typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import { compileRegex, type Regex } from '@weft/lib/regex/regex';
import { applyFieldMask, parseFieldMask } from '../field-mask.ts';
import { redactSecrets } from '../redact.ts';
import { type AdminReply, type AdminRequest, hasFlag, jsonReply, textReply } from '../reply.ts';
import type { AdminState, RefusedUpdate, ResourceDump, ResourceKind, ResourceStage } from '../state.ts';

type Json = Readonly<Record<string, unknown>>;

const admin = 'type.googleapis.com/envoy.admin.v3.';

/** `?resource=FIELD` one repeated field, `?mask=PATHS`, `?name_regex=RE2`, `?include_eds`. */
export function configDumpPage(state: AdminState, request: AdminRequest): AdminReply {
  const { query } = request;
  const maskText = query.get('mask');
  const mask = maskText === null ? null : parseFieldMask(maskText);
  if (maskText !== null && mask === null)
    return textReply(`'${maskText}' is no field mask; write field.inner,other\n`, 400);
  const names = readNameFilter(query.get('name_regex'));
  if (typeof names === 'string') return textReply(names, 400);

  const includesEndpoints = hasFlag(query, 'include_eds');
  const dumps = buildDumps(state, names, includesEndpoints);
  const resource = query.get('resource') ?? '';
  const configs = resource === '' ? dumps : (findResource(dumps, resource) ?? noneOf(resource, includesEndpoints));
  if (configs === null) return textReply(`${resource} not found in config dump\n`, 404);
  return jsonReply({ configs: mask === null ? configs : configs.map((config) => applyFieldMask(mask, config)) });
}

function readNameFilter(pattern: string | null): Regex | null | string {
  if (pattern === null || pattern === '') return null;
  try {
    return compileRegex(pattern);
  } catch (error) {
    return `name_regex: ${messageOf(error)}\n`;
  }
}

function buildDumps(state: AdminState, names: Regex | null, includesEndpoints: boolean): Json[] {
  const dumps = [bootstrapDump(state)];
  for (const shape of shapes) {
    if (shape.kind === 'endpoint' && !includesEndpoints) continue;
    dumps.push(kindDump(state, shape, names));
  }
  return dumps;
}

function bootstrapDump(state: AdminState): Json {
  const bootstrap = messageToJson('envoy.config.bootstrap.v3.Bootstrap', state.bootstrap, { originalNames: true });
  return {
    '@type': `${admin}BootstrapConfigDump`,
    bootstrap: redactSecrets(bootstrap),
    last_updated: timeText(state.startedWallMs),
  };
}

/** How Envoy's dump message of one kind is laid out. */
interface Shape {
  readonly kind: ResourceKind;
  readonly message: string;
  /** Field of an entry that holds the resource. */
  readonly field: string;
  readonly hasVersion: boolean;
  /** Repeated field per stage. */
  readonly fields: Readonly<Partial<Record<ResourceStage, string>>>;
  /** Entries carry their name, as the resource may be missing. */
  readonly hasName: boolean;
}

const shapes: readonly Shape[] = [
  {
    kind: 'cluster',
    message: 'ClustersConfigDump',
    field: 'cluster',
    hasVersion: true,
    hasName: false,
    fields: { static: 'static_clusters', active: 'dynamic_active_clusters', warming: 'dynamic_warming_clusters' },
  },
  {
    kind: 'endpoint',
    message: 'EndpointsConfigDump',
    field: 'endpoint_config',
    hasVersion: false,
    hasName: false,
    fields: { static: 'static_endpoint_configs', active: 'dynamic_endpoint_configs' },
  },
  {
    kind: 'listener',
    message: 'ListenersConfigDump',
    field: 'listener',
    hasVersion: true,
    hasName: false,
    fields: { static: 'static_listeners', active: 'dynamic_listeners' },
  },
  {
    kind: 'route',
    message: 'RoutesConfigDump',
    field: 'route_config',
    hasVersion: false,
    hasName: false,
    fields: { static: 'static_route_configs', active: 'dynamic_route_configs' },
  },
  {
    kind: 'secret',
    message: 'SecretsConfigDump',
    field: 'secret',
    hasVersion: false,
    hasName: true,
    fields: { static: 'static_secrets', active: 'dynamic_active_secrets', warming: 'dynamic_warming_secrets' },
  },
];

function kindDump(state: AdminState, shape: Shape, names: Regex | null): Json {
  const dump: Record<string, unknown> = { '@type': `${admin}${shape.message}` };
  const version = state.versionInfo(shape.kind);
  if (shape.hasVersion && version !== '') dump.version_info = version;
  const resources = state.resources(shape.kind).filter((resource) => names === null || names.find(resource.name));
  for (const [stage, field] of Object.entries(shape.fields)) {
    const entries = entriesOf(resources, shape, stage);
    if (entries.length > 0) dump[field] = entries;
  }
  return dump;
}

function entriesOf(resources: readonly ResourceDump[], shape: Shape, stage: string): Json[] {
  if (stage === 'active' && shape.kind === 'listener') return listenerEntries(resources, shape);
  return resources
    .filter((resource) => stageIn(resource.stage, shape) === stage)
    .map((resource) => (stage === 'static' ? staticEntry(resource, shape) : dynamicEntry(resource, shape)));
}

// Kinds that show no warming entries of their own show them among the others.
function stageIn(stage: ResourceStage, shape: Shape): ResourceStage {
  return shape.fields[stage] === undefined ? 'active' : stage;
}

function staticEntry(resource: ResourceDump, shape: Shape): Json {
  const name = shape.hasName ? { name: resource.name } : {};
  return { ...name, [shape.field]: anyToJson(resource.resource), last_updated: timeText(resource.updatedWallMs) };
}

function dynamicEntry(resource: ResourceDump, shape: Shape): Json {
  const name = shape.hasName ? { name: resource.name } : {};
  return { ...name, ...versionEntry(resource, shape.field), ...statusEntry(resource) };
}

function versionEntry(resource: ResourceDump, field: string): Json {
  if (resource.resource === null) return { [field]: { name: resource.name } };
  return {
    version_info: resource.version,
    [field]: anyToJson(resource.resource),
    last_updated: timeText(resource.updatedWallMs),
  };
}

function statusEntry(resource: ResourceDump): Json {
  const status = resource.clientStatus === 'UNKNOWN' ? {} : { client_status: resource.clientStatus };
  return resource.refused === null ? status : { error_state: refusedEntry(resource.refused), ...status };
}

function refusedEntry(refused: RefusedUpdate): Json {
  const failed = refused.resource === null ? {} : { failed_configuration: anyToJson(refused.resource) };
  return {
    ...failed,
    last_update_attempt: timeText(refused.wallMs),
    details: refused.details,
    version_info: refused.version,
  };
}

// A listener has one entry with a state per stage, unlike the other kinds.
function listenerEntries(resources: readonly ResourceDump[], shape: Shape): Json[] {
  const entries: Map<string, Record<string, unknown>> = new Map();
  for (const resource of resources) {
    if (resource.stage === 'static') continue;
    const entry = entries.get(resource.name) ?? { name: resource.name };
    entries.set(resource.name, entry);
    if (resource.resource !== null) entry[`${resource.stage}_state`] = versionEntry(resource, shape.field);
    Object.assign(entry, statusEntry(resource));
  }
  return [...entries.values()];
}

/** The JSON of an Any with its `@type`, secrets taken out; what cannot be read is shown by its type and size. */
export function anyToJson(any: google.protobuf.Any | null): unknown {
  if (any === null) return null;
  const name = typeNameOf(any);
  if (!isMessageName(name)) return { '@type': any.typeUrl, unknown_message_bytes: any.value.length };
  try {
    const json = messageToJson(name, unpackAny(any, name), { originalNames: true });
    const redacted = redactSecrets(json);
    return typeof redacted === 'object' && redacted !== null ? { '@type': any.typeUrl, ...redacted } : redacted;
  } catch (error) {
    return { '@type': any.typeUrl, unreadable: messageOf(error) };
  }
}

// With `?resource=` the answer holds the entries of that field alone, each with the type of its message.
function findResource(dumps: readonly Json[], field: string): Json[] | null {
  for (const dump of dumps) {
    const entries = dump[field];
    if (field === '@type' || entries === undefined) continue;
    if (Array.isArray(entries))
      return entries.map((entry: Json) => ({
        '@type': `${String(dump['@type'])}.${entryTypes[field] ?? field}`,
        ...entry,
      }));
    if (typeof entries === 'object' && entries !== null)
      return [{ '@type': 'type.googleapis.com/envoy.config.bootstrap.v3.Bootstrap', ...entries }];
  }
  return null;
}

// A field that is there and empty is another answer than one that does not exist.
function noneOf(field: string, includesEndpoints: boolean): Json[] | null {
  const shape = shapes.find(({ fields }) => Object.values(fields).includes(field));
  return shape === undefined || (shape.kind === 'endpoint' && !includesEndpoints) ? null : [];
}

const entryTypes: Readonly<Record<string, string>> = {
  static_clusters: 'StaticCluster',
  dynamic_active_clusters: 'DynamicCluster',
  dynamic_warming_clusters: 'DynamicCluster',
  static_endpoint_configs: 'StaticEndpointConfig',
  dynamic_endpoint_configs: 'DynamicEndpointConfig',
  static_listeners: 'StaticListener',
  dynamic_listeners: 'DynamicListener',
  static_route_configs: 'StaticRouteConfig',
  dynamic_route_configs: 'DynamicRouteConfig',
  static_secrets: 'StaticSecret',
  dynamic_active_secrets: 'DynamicSecret',
  dynamic_warming_secrets: 'DynamicSecret',
};

function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
