// How a cluster's connections are encrypted: its transport socket, or the first of `transport_socket_matches` that fits an endpoint.

import type { envoy, JsonObject, JsonValue } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import type { Scope } from '@weft/lib/metrics';
import { typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import type { SecretSet } from '../security/secret-set.ts';
import { compileUpstreamTls, type UpstreamTls } from '../security/upstream-tls.ts';

type TransportSocket = envoy.config.core.v3.TransportSocket;
type TransportSocketMatch = envoy.config.cluster.v3.Cluster.TransportSocketMatch;

const prefix = 'envoy.extensions.transport_sockets';

interface Rule {
  readonly match: JsonObject;
  readonly tls: UpstreamTls | null;
}

/** The transport sockets of one cluster. Null stands for plain TCP. */
export class Transport {
  readonly tls: UpstreamTls | null;
  private readonly rules: readonly Rule[];

  constructor(tls: UpstreamTls | null, rules: readonly Rule[]) {
    this.tls = tls;
    this.rules = rules;
  }

  /** Every way to encrypt that an endpoint may get. */
  private get all(): UpstreamTls[] {
    return [this.tls, ...this.rules.map((rule) => rule.tls)].filter((tls) => tls !== null);
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
  choose(metadata: JsonObject | null): UpstreamTls | null {
    if (this.rules.length === 0) return this.tls;
    const marks = metadata?.['envoy.transport_socket_match'];
    for (const rule of this.rules) if (isSubset(rule.match, isObject(marks) ? marks : {})) return rule.tls;
    return this.tls;
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
    tls: compileSocket(match.transportSocket, context, sinkAt(sink, `transport_socket_matches[${i}].transport_socket`)),
  }));
  return new Transport(compileSocket(socket, context, sinkAt(sink, 'transport_socket')), rules);
}

function compileSocket(
  socket: TransportSocket | undefined,
  context: TransportContext,
  sink: IssueSink,
): UpstreamTls | null {
  const any = socket?.typedConfig;
  if (socket === undefined) return null;
  if (any === undefined)
    return reportError(sink, 'WEFT0360', 'the transport socket has no typed_config; add it with its @type');
  const below = sinkAt(sink, 'typed_config');
  try {
    switch (typeNameOf(any)) {
      case `${prefix}.raw_buffer.v3.RawBuffer`:
        return null;
      case `${prefix}.tls.v3.UpstreamTlsContext`: {
        const config = unpackAny(any, `${prefix}.tls.v3.UpstreamTlsContext`);
        return compileUpstreamTls(config, context.secrets, sink.issues, below.path, context.scope);
      }
      case `${prefix}.internal_upstream.v3.InternalUpstreamTransport`: {
        // The hand-over to an internal listener is by address; only the socket inside says how to encrypt.
        const config = unpackAny(any, `${prefix}.internal_upstream.v3.InternalUpstreamTransport`);
        return compileSocket(config.transportSocket, context, sinkAt(below, 'transport_socket'));
      }
    }
  } catch (error) {
    return reportError(below, 'WEFT0361', `the configuration cannot be decoded: ${messageOf(error)}`);
  }
  const problem = `the transport socket "${typeNameOf(any)}" is not carried out; use UpstreamTlsContext or RawBuffer`;
  return reportError(below, 'WEFT0360', problem);
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
