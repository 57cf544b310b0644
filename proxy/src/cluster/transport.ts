// How a cluster's connections begin, with TLS or a PROXY protocol header or neither: its transport socket, or the first of
// `transport_socket_matches` that fits an endpoint.

import type { envoy, JsonObject, JsonValue } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import type { Scope } from '@weft/lib/metrics';
import { typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import type { SecretSet } from '../security/secret-set.ts';
import { compileUpstreamTls, type UpstreamTls } from '../security/upstream-tls.ts';
import { compileProxyHeader, type ProxyHeaderWriter } from './proxy-header.ts';

type TransportSocket = envoy.config.core.v3.TransportSocket;
type TransportSocketMatch = envoy.config.cluster.v3.Cluster.TransportSocketMatch;

const prefix = 'envoy.extensions.transport_sockets';

/** One compiled transport socket. */
export interface EndpointTransport {
  /** Null for plain text. */
  readonly tls: UpstreamTls | null;
  /** Goes out before everything else, TLS included; null for none. */
  readonly proxyHeader: ProxyHeaderWriter | null;
}

/** Plain TCP. */
export const plainTransport: EndpointTransport = { tls: null, proxyHeader: null };

interface Rule {
  readonly match: JsonObject;
  readonly transport: EndpointTransport;
}

/** The transport sockets of one cluster. */
export class Transport {
  private readonly otherwise: EndpointTransport;
  private readonly rules: readonly Rule[];

  constructor(otherwise: EndpointTransport, rules: readonly Rule[]) {
    this.otherwise = otherwise;
    this.rules = rules;
  }

  /** The cluster's own encryption; an endpoint may have another. */
  get tls(): UpstreamTls | null {
    return this.otherwise.tls;
  }

  /** Every way to encrypt that an endpoint may get. */
  private get all(): UpstreamTls[] {
    return [this.tls, ...this.rules.map((rule) => rule.transport.tls)].filter((tls) => tls !== null);
  }

  /** Whether the secrets for all of them are there: until then every connection would fail. */
  get isReady(): boolean {
    return this.all.every((tls) => tls.isReady);
  }

  /** Names of the secrets that come from elsewhere. */
  get secretNames(): readonly string[] {
    return [...new Set(this.all.flatMap((tls) => [...tls.secretNames]))];
  }

  /** By the endpoint's `envoy.transport_socket_match` metadata. */
  choose(metadata: JsonObject | null): EndpointTransport {
    if (this.rules.length === 0) return this.otherwise;
    const marks = metadata?.['envoy.transport_socket_match'];
    for (const rule of this.rules) if (isSubset(rule.match, isObject(marks) ? marks : {})) return rule.transport;
    return this.otherwise;
  }
}

export interface TransportContext {
  readonly secrets: SecretSet;
  readonly scope: Scope;
}

export function compileTransport(
  socket: TransportSocket | undefined,
  matches: readonly TransportSocketMatch[],
  context: TransportContext,
  sink: IssueSink,
): Transport {
  const rules = matches.map((match, i) => ({
    match: match.match ?? {},
    transport: compileSocket(
      match.transportSocket,
      context,
      sinkAt(sink, `transport_socket_matches[${i}].transport_socket`),
    ),
  }));
  return new Transport(compileSocket(socket, context, sinkAt(sink, 'transport_socket')), rules);
}

function compileSocket(
  socket: TransportSocket | undefined,
  context: TransportContext,
  sink: IssueSink,
): EndpointTransport {
  const any = socket?.typedConfig;
  if (socket === undefined) return plainTransport;
  if (any === undefined)
    return refuse(sink, 'WEFT0360', 'the transport socket has no typed_config; add it with its @type');
  const below = sinkAt(sink, 'typed_config');
  try {
    switch (typeNameOf(any)) {
      case `${prefix}.raw_buffer.v3.RawBuffer`:
        return plainTransport;
      case `${prefix}.tls.v3.UpstreamTlsContext`: {
        const config = unpackAny(any, `${prefix}.tls.v3.UpstreamTlsContext`);
        const tls = compileUpstreamTls(config, context.secrets, sink.issues, below.path, context.scope);
        return { tls, proxyHeader: null };
      }
      case `${prefix}.internal_upstream.v3.InternalUpstreamTransport`: {
        // The hand-over to an internal listener is by address; only the socket inside says how to encrypt.
        const config = unpackAny(any, `${prefix}.internal_upstream.v3.InternalUpstreamTransport`);
        return compileSocket(config.transportSocket, context, sinkAt(below, 'transport_socket'));
      }
      case `${prefix}.proxy_protocol.v3.ProxyProtocolUpstreamTransport`: {
        const config = unpackAny(any, `${prefix}.proxy_protocol.v3.ProxyProtocolUpstreamTransport`);
        const inner = compileSocket(config.transportSocket, context, sinkAt(below, 'transport_socket'));
        if (inner.proxyHeader === null) return { tls: inner.tls, proxyHeader: compileProxyHeader(config.config) };
        const problem = 'a connection begins with one PROXY protocol header; leave the inner one out';
        return refuse(sinkAt(below, 'transport_socket'), 'WEFT0842', problem);
      }
    }
  } catch (error) {
    return refuse(below, 'WEFT0361', `the configuration cannot be decoded: ${messageOf(error)}`);
  }
  const problem = `the transport socket "${typeNameOf(any)}" is not carried out; use UpstreamTlsContext or RawBuffer`;
  return refuse(below, 'WEFT0360', problem);
}

function refuse(sink: IssueSink, code: string, problem: string): EndpointTransport {
  reportError(sink, code, problem);
  return plainTransport;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSubset(wanted: JsonObject, given: JsonObject): boolean {
  return Object.entries(wanted).every(([key, value]) => isEqual(value, given[key]));
}

function isEqual(wanted: JsonValue, given: JsonValue | undefined): boolean {
  if (isObject(wanted)) return isObject(given) && isSubset(wanted, given) && isSubset(given, wanted);
  return JSON.stringify(wanted) === JSON.stringify(given);
}
