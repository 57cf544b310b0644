// Reads what `weft proxy-config` shows out of a proxy's `/config_dump`: the resources in force, and a table of each kind.

export type ConfigPart = 'listeners' | 'routes' | 'clusters' | 'endpoints' | 'secrets';

/** Every part in the order of a request's path. */
export const configParts: readonly ConfigPart[] = ['listeners', 'routes', 'clusters', 'endpoints', 'secrets'];

type Json = Readonly<Record<string, unknown>>;

interface PartShape {
  readonly dump: string;
  readonly lists: readonly string[];
  readonly field: string;
  readonly heading: readonly string[];
  readonly row: (resource: Json) => readonly (readonly string[])[];
}

const shapes: Readonly<Record<ConfigPart, PartShape>> = {
  listeners: {
    dump: 'ListenersConfigDump',
    lists: ['static_listeners', 'dynamic_listeners'],
    field: 'listener',
    heading: ['NAME', 'ADDRESS', 'CHAINS'],
    row: (listener) => [
      [text(listener.name), addressOf(listener.address), String(list(listener.filter_chains).length)],
    ],
  },
  routes: {
    dump: 'RoutesConfigDump',
    lists: ['static_route_configs', 'dynamic_route_configs'],
    field: 'route_config',
    heading: ['CONFIG', 'VIRTUAL HOST', 'MATCH', 'TO'],
    row: (config) =>
      list(config.virtual_hosts).flatMap((host) =>
        list(host.routes).map((route) => [
          text(config.name),
          text(host.name),
          matchOf(object(route.match)),
          actionOf(route),
        ]),
      ),
  },
  clusters: {
    dump: 'ClustersConfigDump',
    lists: ['static_clusters', 'dynamic_active_clusters', 'dynamic_warming_clusters'],
    field: 'cluster',
    heading: ['NAME', 'TYPE', 'BALANCING'],
    row: (cluster) => [[text(cluster.name), text(cluster.type) || 'STATIC', text(cluster.lb_policy) || 'ROUND_ROBIN']],
  },
  endpoints: {
    dump: 'EndpointsConfigDump',
    lists: ['static_endpoint_configs', 'dynamic_endpoint_configs'],
    field: 'endpoint_config',
    heading: ['CLUSTER', 'ADDRESS', 'HEALTH'],
    row: (assignment) =>
      list(assignment.endpoints).flatMap((group) =>
        list(group.lb_endpoints).map((endpoint) => [
          text(assignment.cluster_name),
          addressOf(object(endpoint.endpoint).address),
          text(endpoint.health_status) || 'HEALTHY',
        ]),
      ),
  },
  secrets: {
    dump: 'SecretsConfigDump',
    lists: ['static_secrets', 'dynamic_active_secrets', 'dynamic_warming_secrets'],
    field: 'secret',
    heading: ['NAME', 'HOLDS'],
    row: (secret) => [[text(secret.name), 'tls_certificate' in secret ? 'certificate' : 'trusted roots']],
  },
};

/** The resources of one part, as the proxy has them in force. */
export function resourcesIn(dump: unknown, part: ConfigPart): Json[] {
  const shape = shapes[part];
  const config = list(object(dump).configs).find((each) => text(each['@type']).endsWith(`.${shape.dump}`));
  if (config === undefined) return [];
  return shape.lists.flatMap((name) => list(config[name])).flatMap((entry) => inForce(entry, shape.field));
}

/** Heading and rows of one part. */
export function tableOf(
  resources: readonly Json[],
  part: ConfigPart,
): { heading: readonly string[]; rows: readonly (readonly string[])[] } {
  const shape = shapes[part];
  return { heading: shape.heading, rows: resources.flatMap(shape.row) };
}

/** Listeners wrap theirs in a state; what was only ever refused has none. */
function inForce(entry: Json, field: string): Json[] {
  const holder = field in entry ? entry : object(entry.active_state ?? entry.warming_state);
  const resource = holder[field];
  return typeof resource === 'object' && resource !== null ? [resource as Json] : [];
}

function matchOf(match: Json): string {
  const path = text(match.prefix)
    ? `${text(match.prefix)}*`
    : text(match.path) || text(object(match.safe_regex).regex) || text(match.path_separated_prefix);
  const connect = 'connect_matcher' in match ? 'CONNECT' : '';
  const conditions = [...list(match.headers), ...list(match.query_parameters)].map((condition) => text(condition.name));
  return [connect || path || '*', ...(conditions.length === 0 ? [] : [`if ${conditions.join(', ')}`])].join(' ');
}

function actionOf(route: Json): string {
  if ('redirect' in route) return 'redirect';
  if ('direct_response' in route) return `status ${String(object(route.direct_response).status)}`;
  const action = object(route.route);
  const weighted = list(object(action.weighted_clusters).clusters);
  if (weighted.length > 0)
    return weighted.map((cluster) => `${text(cluster.name)} ${String(cluster.weight ?? 0)}`).join(', ');
  return text(action.cluster) || text(action.cluster_header);
}

function addressOf(address: unknown): string {
  const { socket_address: socket, pipe, envoy_internal_address: internal } = object(address);
  if (socket !== undefined) return `${text(object(socket).address)}:${String(object(socket).port_value ?? '')}`;
  if (pipe !== undefined) return `unix:${text(object(pipe).path)}`;
  return internal === undefined ? 'internal' : `internal:${text(object(internal).server_listener_name)}`;
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
