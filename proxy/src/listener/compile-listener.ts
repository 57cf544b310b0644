// `Listener` message -> compiled listener: address, inspectors, filter chains with their matches.

import { isIP } from 'node:net';
import type { envoy } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';
import { type Scope, ScopeRecorder, type ScopeSource } from '@weft/lib/metrics';
import { encodeMessage, typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import type { ListenerOrigins } from '../io/connection-info.ts';
import { isAbstract } from '../io/unix-path.ts';
import { compileNetworkChain } from '../network-filter/filters.ts';
import type { CompilePlace, NetworkContext } from '../network-filter/network-context.ts';
import { timeMs } from '../network-filter/time-limit.ts';
import { compileDownstreamTls, type DownstreamTls } from '../security/downstream-tls.ts';
import { checkChainMatches } from './chain-conflict.ts';
import { type ChainMatcher, compileChainMatch } from './chain-match.ts';
import type { ListenerLimit } from './connection-limits.ts';
import { FilterChain } from './filter-chain.ts';
import type { InspectionPlan } from './inspection.ts';
import type { ListenAddress, SocketListenAddress } from './listen-sockets.ts';
import { listenerOrigins } from './listener-origins.ts';
import { compileProxyProtocol, proxyProtocolType } from './proxy-protocol/config.ts';
import type { HeaderReader } from './proxy-protocol/header-reader.ts';
import { checkTransparent, compileRedirection, originalDestinationType, type Redirection } from './redirection.ts';

type Config = envoy.config.listener.v3.Listener;
type ChainConfig = envoy.config.listener.v3.FilterChain;

const tlsContextType = 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';
const rawBufferType = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';
const tlsInspectorType = 'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector';
const httpInspectorType = 'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector';

/** A listener ready to take connections. */
export interface CompiledListener {
  readonly name: string;
  readonly config: Config;
  readonly version: string;
  readonly address: ListenAddress;
  readonly isInternal: boolean;
  readonly backlog: number;
  /** Where it would listen if it has no socket because `bind_to_port` is false: redirected connections find it by that. */
  readonly unboundAddress: SocketListenAddress | null;
  readonly isTransparent: boolean;
  /** Null where connections are not asked where they were going. */
  readonly redirection: Redirection | null;
  readonly inspection: InspectionPlan | null;
  /** Null where nothing limits how many connections there are. */
  readonly limit: ListenerLimit | null;
  readonly matchers: readonly ChainMatcher[];
  readonly chains: readonly FilterChain[];
  readonly fallback: FilterChain | null;
  /** Compiled chains by their encoded configuration, so that an update keeps those it does not change. */
  readonly chainsByContent: ReadonlyMap<string, FilterChain>;
  /** Chains by who may connect to them and how (match and transport): what stays the same when only the filters change. */
  readonly chainsByEntrance: ReadonlyMap<string, FilterChain>;
  readonly scope: Scope;
  /** What it and its inspectors count in; its chains have their own. */
  readonly ownScopes: ReadonlySet<Scope>;
  readonly origins: ListenerOrigins;
}

/** Whether everything it needs from elsewhere is there. */
export function isListenerReady(listener: CompiledListener): boolean {
  return everyChain(listener).every((chain) => chain.isReady);
}

/** The same, except for certificates and keys. */
export function isListenerReadyButSecrets(listener: CompiledListener): boolean {
  return everyChain(listener).every((chain) => chain.isReadyButSecrets);
}

/** The TLS of its chains that waits for secrets. */
export function waitingTls(listener: CompiledListener): DownstreamTls[] {
  return everyChain(listener).flatMap(({ tls, hasSecrets }) => (tls === null || hasSecrets ? [] : [tls]));
}

function everyChain({ chains, fallback }: CompiledListener): readonly FilterChain[] {
  return fallback === null ? chains : [...chains, fallback];
}

/** Everything that it counts in. */
export function scopesOf({ ownScopes, chainsByContent }: CompiledListener): Scope[] {
  return [...ownScopes, ...[...chainsByContent.values()].flatMap((chain) => [...chain.scopes])];
}

/** Compiles it; null after reporting errors. */
export function compileListener(
  config: Config,
  version: string,
  previous: CompiledListener | null,
  context: NetworkContext,
  place: CompilePlace,
): CompiledListener | null {
  const { issues } = place;
  const name = config.name ?? '';
  const before = errors(issues);
  const socket = readSocket(config, place);
  const metrics = new ScopeRecorder(context.metrics);
  const scope = metrics.scope({
    prefix: 'listener',
    tag: 'envoy_listener_address',
    value: scopeName(config, name),
  });
  const compiler = new ChainCompiler(config, previous, context, scope);
  const chains: FilterChain[] = [];
  const matchers: ChainMatcher[] = [];
  const entrances: Map<string, FilterChain> = new Map();
  for (const [i, chain] of (config.filterChains ?? []).entries()) {
    const path = `${place.path}.filter_chains[${i}]`;
    const compiled = compiler.compile(chain, { issues, path });
    if (compiled === null) continue;
    chains.push(compiled);
    matchers.push(compileChainMatch(chain.filterChainMatch));
    entrances.set(entranceOf(chain), compiled);
  }
  const fallback =
    config.defaultFilterChain === undefined
      ? null
      : compiler.compile(config.defaultFilterChain, { issues, path: `${place.path}.default_filter_chain` });
  if (fallback !== null) entrances.set(`default\0${entranceOf(config.defaultFilterChain ?? {})}`, fallback);
  checkChainMatches(config.filterChains ?? [], place);
  const inspection = readInspection(config, metrics, place);
  const redirection = compileRedirection(config, place);
  if (chains.length === 0 && fallback === null && errors(issues) === before) {
    report(
      issues,
      'WEFT0390',
      place.path,
      `the listener '${name}' has no filter chain, so it could only refuse; add one`,
    );
  }
  if (socket.isInternal) checkInternal([...chains, fallback], place);
  if (errors(issues) > before) return null;
  return {
    name,
    config,
    version,
    ...socket,
    redirection,
    inspection,
    limit: context.limitOf(name, config.ignoreGlobalConnLimit === true),
    matchers,
    chains,
    fallback,
    chainsByContent: compiler.byContent,
    chainsByEntrance: entrances,
    scope,
    ownScopes: metrics.used,
    origins: listenerOrigins(config.metadata),
  };
}

function checkInternal(chains: readonly (FilterChain | null)[], { issues, path }: CompilePlace): void {
  if (chains.every((chain) => chain === null || chain.tls === null)) return;
  const message = 'TLS termination in an internal listener is not carried out; leave it to the listener outside';
  report(issues, 'WEFT0391', path, message);
}

type ListenSocket = Pick<CompiledListener, 'address' | 'unboundAddress' | 'isInternal' | 'isTransparent' | 'backlog'>;

function readSocket(config: Config, place: CompilePlace): ListenSocket {
  const isInternal = config.internalListener !== undefined;
  const isBound = !isInternal && config.bindToPort !== false;
  const given = isInternal ? null : readAddress(config, place);
  checkTransparent(config, place);
  return {
    address: isBound ? given : null,
    unboundAddress: isBound || given === null || 'path' in given ? null : given,
    isInternal,
    isTransparent: config.transparent === true,
    backlog: config.tcpBacklogSize ?? 511,
  };
}

function entranceOf({ filterChainMatch, transportSocket }: ChainConfig): string {
  const bytes = encodeMessage('envoy.config.listener.v3.FilterChain', { filterChainMatch, transportSocket });
  return Buffer.from(bytes).toString('latin1');
}

function errors(issues: readonly Issue[]): number {
  return issues.filter((issue) => issue.level === 'error').length;
}

function report(issues: Issue[], code: string, path: string, message: string): void {
  issues.push({ code, level: 'error', path, message });
}

function scopeName(config: Config, name: string): string {
  const socket = config.address?.socketAddress;
  if (config.statPrefix) return config.statPrefix;
  return socket === undefined ? name : `${socket.address ?? ''}_${socket.portValue ?? 0}`;
}

function readAddress(config: Config, place: CompilePlace): ListenAddress {
  const path = `${place.path}.address`;
  const pipe = config.address?.pipe;
  if (pipe?.path) {
    const { path: name, mode = 0 } = pipe;
    // Whoever sets it wants to keep somebody out, and nobody would be.
    if (mode !== 0 && isAbstract(name))
      report(place.issues, 'WEFT0392', `${path}.pipe.mode`, `${name} is a name without a file, which has no mode`);
    return { path: name, mode };
  }
  const socket = config.address?.socketAddress;
  if (socket === undefined) {
    report(place.issues, 'WEFT0392', path, 'a listener needs a socket_address, or a pipe with a path');
    return null;
  }
  const host = socket.address ?? '';
  if (isIP(host) === 0) {
    report(
      place.issues,
      'WEFT0393',
      `${path}.socket_address.address`,
      `'${host}' is not an IP address; a listener cannot resolve names`,
    );
  }
  if (socket.protocol === 'UDP')
    report(place.issues, 'WEFT0394', `${path}.socket_address.protocol`, 'UDP listeners are not carried out');
  return { host, port: socket.portValue ?? 0, ipv6Only: isIP(host) === 6 && socket.ipv4Compat !== true };
}

// As Envoy, the inspectors that the chains' matches need are there even where the list forgets them.
function readInspection(config: Config, metrics: ScopeSource, place: CompilePlace): InspectionPlan | null {
  let proxyProtocol: HeaderReader | null = null;
  let tls = false;
  let http = false;
  for (const [i, filter] of (config.listenerFilters ?? []).entries()) {
    const type = filter.typedConfig === undefined ? '' : typeNameOf(filter.typedConfig);
    if (type === tlsInspectorType) tls = true;
    else if (type === httpInspectorType) http = true;
    else if (type === proxyProtocolType && filter.typedConfig !== undefined) {
      const path = `${place.path}.listener_filters[${i}].typed_config`;
      proxyProtocol = compileProxyProtocol(filter.typedConfig, metrics, { issues: place.issues, path });
    } else if (type !== originalDestinationType) {
      const path = `${place.path}.listener_filters[${i}]`;
      report(
        place.issues,
        'WEFT0395',
        path,
        `the listener filter '${filter.name ?? ''}' (${type || 'no typed_config'}) is not carried out`,
      );
    }
  }
  for (const chain of config.filterChains ?? []) {
    const match = chain.filterChainMatch;
    if (match?.transportProtocol || (match?.serverNames?.length ?? 0) > 0) tls = true;
    if ((match?.applicationProtocols?.length ?? 0) > 0 && !http) tls = true;
  }
  if (!tls && !http && proxyProtocol === null) return null;
  return {
    proxyProtocol,
    tls,
    http,
    timeoutMs: timeMs(config.listenerFiltersTimeout, 15_000),
    continuesOnTimeout: config.continueOnListenerFiltersTimeout === true,
  };
}

class ChainCompiler {
  readonly byContent: Map<string, FilterChain> = new Map();
  private readonly config: Config;
  private readonly previous: CompiledListener | null;
  private readonly context: NetworkContext;
  private readonly scope: Scope;

  constructor(config: Config, previous: CompiledListener | null, context: NetworkContext, scope: Scope) {
    this.config = config;
    this.previous = previous;
    this.context = context;
    this.scope = scope;
  }

  compile(chain: ChainConfig, place: CompilePlace): FilterChain | null {
    const { filterChainMatch: _match, ...rest } = chain;
    const content = Buffer.from(encodeMessage('envoy.config.listener.v3.FilterChain', rest)).toString('latin1');
    const key = `${this.config.perConnectionBufferLimitBytes ?? ''}\0${content}`;
    const kept = this.byContent.get(key) ?? this.previous?.chainsByContent.get(key);
    if (kept !== undefined) {
      this.byContent.set(key, kept);
      return kept;
    }
    const made = this.make(chain, place);
    if (made !== null) this.byContent.set(key, made);
    return made;
  }

  private make(chain: ChainConfig, place: CompilePlace): FilterChain | null {
    const before = errors(place.issues);
    const tls = this.compileTransport(chain, place);
    const limit = this.config.perConnectionBufferLimitBytes;
    const metrics = new ScopeRecorder(this.context.metrics);
    const network = compileNetworkChain(chain.filters ?? [], limit, { ...this.context, metrics }, place);
    if (network === null || errors(place.issues) > before) return null;
    return new FilterChain(chain.name ?? '', tls, network, this.scope, metrics.used);
  }

  private compileTransport(chain: ChainConfig, place: CompilePlace): DownstreamTls | null {
    const any = chain.transportSocket?.typedConfig;
    if (any === undefined || typeNameOf(any) === rawBufferType) return null;
    const path = `${place.path}.transport_socket.typed_config`;
    if (typeNameOf(any) !== tlsContextType) {
      report(
        place.issues,
        'WEFT0396',
        path,
        `the transport socket ${typeNameOf(any)} is not carried out; use TLS or none`,
      );
      return null;
    }
    try {
      return compileDownstreamTls(unpackAny(any, tlsContextType), this.context.secrets, place.issues, path, this.scope);
    } catch (error) {
      report(place.issues, 'WEFT0397', path, messageOf(error));
      return null;
    }
  }
}
