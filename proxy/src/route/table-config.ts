// From `envoy.config.route.v3.RouteConfiguration` to a `RouteTable`, with every finding reported at once.

import type { envoy } from '@weft/api/xds/types';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import { defaultMaxBodyBytes } from './action/direct-response.ts';
import { compileMutations, type MutationLevel } from './action/header-mutation.ts';
import { makeTlsRedirect } from './action/tls-redirect.ts';
import type { HostContext, RouteCompileContext, TableContext } from './compile-context.ts';
import { compileOverrides, type Overrides } from './filter-override.ts';
import { compileRetryPolicy } from './retry-policy.ts';
import { compileRoute } from './route-config.ts';
import { RouteTable, type WildcardGroup } from './route-table.ts';
import { type TlsRequirement, VirtualHost } from './virtual-host.ts';

export type RouteConfiguration = envoy.config.route.v3.RouteConfiguration;
type VirtualHostMessage = envoy.config.route.v3.VirtualHost;

/** The table; not to be used when something was reported as an error. */
export function compileRouteTable(
  config: RouteConfiguration,
  context: RouteCompileContext,
  sink: IssueSink,
): RouteTable {
  const table: TableContext = {
    ...context,
    mostSpecificWins: config.mostSpecificHeaderMutationsWins === true,
    maxBodyBytes: config.maxDirectResponseBodySizeBytes ?? defaultMaxBodyBytes,
    clusters: new Map(),
  };
  const level = compileMutations(config, sink);
  const overrides = compileOverrides(config.typedPerFilterConfig, null, context.compileOverride, sink);
  const domains = new DomainIndex();
  const names = new Set<string>();
  const virtualHosts = (config.virtualHosts ?? []).map((message, i) => {
    const below = sinkAt(sink, `virtual_hosts[${i}]`);
    checkName(message.name ?? '', names, below);
    const virtualHost = compileVirtualHost(message, { ...table, above: [level], overrides }, below);
    domains.add(message.domains ?? [], virtualHost, sinkAt(below, 'domains'));
    return virtualHost;
  });
  if (config.validateClusters ?? context.validatesClusters) checkClusters(table);
  return new RouteTable({
    name: config.name ?? '',
    ...domains.finish(),
    ignoresPort: config.ignorePortInHostMatching === true,
    ignoresParameters: config.ignorePathParametersInPathMatching === true,
    clusters: new Set([...table.clusters].flatMap(([name, { isUsed }]) => (isUsed ? name : []))),
    virtualHosts,
    internalOnlyHeaders: (config.internalOnlyHeaders ?? []).map((name) => name.toLowerCase()),
  });
}

function checkName(name: string, names: Set<string>, sink: IssueSink): void {
  if (name === '') reportError(sinkAt(sink, 'name'), 'WEFT0340', 'the virtual host has no name; give it one');
  else if (names.has(name))
    reportError(sinkAt(sink, 'name'), 'WEFT0341', `another virtual host is called "${name}" too; rename one`);
  names.add(name);
}

function checkClusters(table: TableContext): void {
  for (const [name, { sink }] of table.clusters) {
    if (table.hasCluster(name)) continue;
    reportError(
      sink,
      'WEFT0342',
      `there is no cluster "${name}"; add it, correct the name, or turn validate_clusters off`,
    );
  }
}

const requirements: Readonly<Record<string, TlsRequirement>> = { NONE: 'none', EXTERNAL_ONLY: 'external', ALL: 'all' };

function compileRequirement(message: VirtualHostMessage, sink: IssueSink): TlsRequirement {
  const given = String(message.requireTls ?? 'NONE');
  const requirement = Object.hasOwn(requirements, given) ? requirements[given] : undefined;
  if (requirement === undefined) {
    reportError(sink, 'WEFT0346', `${given} is no requirement; use one of ${Object.keys(requirements).join(', ')}`);
  }
  return requirement ?? 'all';
}

interface Above extends TableContext {
  readonly above: readonly MutationLevel[];
  readonly overrides: Overrides | null;
}

function compileVirtualHost(message: VirtualHostMessage, table: Above, sink: IssueSink): VirtualHost {
  const { includeRequestAttemptCount, includeAttemptCountInResponse } = message;
  const requirement = compileRequirement(message, sinkAt(sink, 'require_tls'));
  const virtualHost = new VirtualHost(
    message.name ?? '',
    includeRequestAttemptCount === true,
    includeAttemptCountInResponse === true,
    requirement,
  );
  if (message.matcher !== undefined)
    reportError(sinkAt(sink, 'matcher'), 'WEFT0343', 'match trees are not carried out; use routes');
  if (message.retryPolicy !== undefined) compileRetryPolicy(message.retryPolicy, sinkAt(sink, 'retry_policy'));
  const context: HostContext = {
    ...table,
    virtualHost,
    levels: [compileMutations(message, sink), ...table.above],
    overrides: compileOverrides(message.typedPerFilterConfig, table.overrides, table.compileOverride, sink),
    retryPolicy: message.retryPolicy,
    bufferLimitBytes: message.perRequestBufferLimitBytes ?? -1,
  };
  const entries = (message.routes ?? []).map((route, i) => compileRoute(route, context, sinkAt(sink, `routes[${i}]`)));
  virtualHost.entries = entries.filter((entry) => entry !== null);
  if (requirement !== 'none') virtualHost.tlsRedirect = makeTlsRedirect(virtualHost);
  return virtualHost;
}

/** Collects domains and refuses doubles. */
class DomainIndex {
  private readonly exact: Map<string, VirtualHost> = new Map();
  private readonly suffixes: Map<string, VirtualHost> = new Map();
  private readonly prefixes: Map<string, VirtualHost> = new Map();
  private fallback: VirtualHost | null = null;

  add(domains: readonly string[], virtualHost: VirtualHost, sink: IssueSink): void {
    if (domains.length === 0)
      reportError(sink, 'WEFT0344', 'the virtual host has no domains, so no request reaches it; give one, or "*"');
    domains.forEach((given, i) => {
      this.addOne(given.toLowerCase(), virtualHost, { issues: sink.issues, path: `${sink.path}[${i}]` });
    });
  }

  private addOne(domain: string, virtualHost: VirtualHost, sink: IssueSink): void {
    if (domain === '*') {
      if (this.fallback !== null) reportDouble(domain, this.fallback, sink);
      this.fallback = virtualHost;
      return;
    }
    const stars = domain.split('*').length - 1;
    if (domain === '' || stars > 1 || (stars === 1 && !domain.startsWith('*') && !domain.endsWith('*'))) {
      reportError(sink, 'WEFT0344', `"${domain}" is no domain; write a name, "*.name", "name.*" or "*"`);
      return;
    }
    if (stars === 0) put(this.exact, domain, virtualHost, sink);
    else if (domain.startsWith('*')) put(this.suffixes, domain.slice(1), virtualHost, sink);
    else put(this.prefixes, domain.slice(0, -1), virtualHost, sink);
  }

  finish(): {
    exact: ReadonlyMap<string, VirtualHost>;
    suffixes: readonly WildcardGroup[];
    prefixes: readonly WildcardGroup[];
    fallback: VirtualHost | null;
  } {
    const { exact, fallback } = this;
    return { exact, suffixes: groupByLength(this.suffixes), prefixes: groupByLength(this.prefixes), fallback };
  }
}

function put(map: Map<string, VirtualHost>, key: string, virtualHost: VirtualHost, sink: IssueSink): void {
  const known = map.get(key);
  if (known !== undefined) reportDouble(key, known, sink);
  map.set(key, virtualHost);
}

function reportDouble(domain: string, known: VirtualHost, sink: IssueSink): void {
  reportError(
    sink,
    'WEFT0345',
    `the domain "${domain}" belongs to the virtual host "${known.name}" already; remove it from one of them`,
  );
}

function groupByLength(map: ReadonlyMap<string, VirtualHost>): WildcardGroup[] {
  const groups = new Map<number, Map<string, VirtualHost>>();
  for (const [key, virtualHost] of map) {
    const hosts = groups.get(key.length) ?? new Map<string, VirtualHost>();
    groups.set(key.length, hosts.set(key, virtualHost));
  }
  return [...groups].map(([length, hosts]) => ({ length, hosts })).sort((a, b) => b.length - a.length);
}
