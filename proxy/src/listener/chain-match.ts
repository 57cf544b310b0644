// Which filter chain takes a connection (Envoy: FilterChainMatch): criteria in a fixed order, at each the most specific match stays.

import { BlockList, isIP } from 'node:net';
import type { envoy } from '@weft/api/xds/types';
import type { ConnectionInfo } from '../io/connection-info.ts';

type FilterChainMatch = envoy.config.listener.v3.FilterChainMatch;
type CidrRange = envoy.config.core.v3.CidrRange;

/** What is known of a connection before a chain is chosen. `alpn` is the client's offer, or what inspection detected. */
export interface MatchInput {
  readonly info: ConnectionInfo;
  readonly transportProtocol: 'raw_buffer' | 'tls';
  readonly serverName: string;
  readonly alpn: readonly string[];
  /** The destination before redirection. */
  readonly destinationAddress: string;
  readonly destinationPort: number;
}

/** How well the criterion fits: 0 when the chain does not mention it, -1 when it does not fit, more for more specific. */
type Criterion = (input: MatchInput) => number;

/** One chain's criteria in Envoy's order. */
export interface ChainMatcher {
  readonly criteria: readonly (Criterion | null)[];
}

const criteriaCount = 9;

/** Compiles the match of one chain; null stands for an empty match. */
export function compileChainMatch(match: FilterChainMatch | undefined): ChainMatcher {
  if (match === undefined) return { criteria: new Array<null>(criteriaCount).fill(null) };
  return {
    criteria: [
      match.destinationPort === undefined ? null : exactly((input) => input.destinationPort, match.destinationPort),
      cidrs(match.prefixRanges, (input) => input.destinationAddress),
      serverNames(match.serverNames),
      match.transportProtocol ? exactly((input) => input.transportProtocol, match.transportProtocol) : null,
      applicationProtocols(match.applicationProtocols),
      cidrs(match.directSourcePrefixRanges, (input) => input.info.directRemoteAddress),
      sourceType(match.sourceType),
      cidrs(match.sourcePrefixRanges, (input) => input.info.remoteAddress),
      ports(match.sourcePorts),
    ],
  };
}

/** The index of the chain that takes the connection, or -1. */
export function matchChain(matchers: readonly ChainMatcher[], input: MatchInput): number {
  let candidates = matchers.map((_, index) => index);
  for (let step = 0; step < criteriaCount && candidates.length > 0; step++) {
    let best = -1;
    let kept: number[] = [];
    for (const index of candidates) {
      const criterion = matchers[index]?.criteria[step] ?? null;
      const fit = criterion === null ? 0 : criterion(input);
      if (fit < 0 || fit < best) continue;
      if (fit > best) kept = [];
      best = fit;
      kept.push(index);
    }
    candidates = kept;
  }
  return candidates[0] ?? -1;
}

function exactly<T>(read: (input: MatchInput) => T, wanted: T): Criterion {
  return (input) => (read(input) === wanted ? 1 : -1);
}

function ports(wanted: readonly number[] | undefined): Criterion | null {
  if (wanted === undefined || wanted.length === 0) return null;
  return (input) => (wanted.includes(input.info.remotePort) ? 1 : -1);
}

function serverNames(names: readonly string[] | undefined): Criterion | null {
  if (names === undefined || names.length === 0) return null;
  const lower = names.map((name) => name.toLowerCase());
  return (input) => Math.max(...lower.map((name) => serverNameFit(name, input.serverName)));
}

// `*.example.com` fits any depth of labels; the longer suffix wins, an exact name wins over all.
function serverNameFit(pattern: string, name: string): number {
  if (pattern === name && name !== '') return Number.MAX_SAFE_INTEGER;
  if (pattern === '*') return 1;
  if (!pattern.startsWith('*.')) return -1;
  const suffix = pattern.slice(1);
  return name.endsWith(suffix) && name.length > suffix.length ? suffix.length + 1 : -1;
}

// Of chains that want different protocols, the one that wants what the client names first.
function applicationProtocols(wanted: readonly string[] | undefined): Criterion | null {
  if (wanted === undefined || wanted.length === 0) return null;
  return ({ alpn }) => {
    const place = alpn.findIndex((protocol) => wanted.includes(protocol));
    return place < 0 ? -1 : alpn.length - place;
  };
}

function sourceType(type: FilterChainMatch['sourceType']): Criterion | null {
  if (type === undefined || type === 'ANY' || typeof type === 'number') return null;
  return (input) => {
    const local = isLocalSource(input);
    return (type === 'SAME_IP_OR_LOOPBACK') === local ? 1 : -1;
  };
}

function isLocalSource(input: MatchInput): boolean {
  const { remoteAddress } = input.info;
  return remoteAddress === input.destinationAddress || remoteAddress.startsWith('127.') || remoteAddress === '::1';
}

// Others are reported when the whole listener is checked.
function isRange({ addressPrefix = '', prefixLen = 0 }: CidrRange): boolean {
  const kind = isIP(addressPrefix);
  return kind !== 0 && prefixLen <= (kind === 6 ? 128 : 32);
}

function cidrs(ranges: readonly CidrRange[] | undefined, read: (input: MatchInput) => string): Criterion | null {
  if (ranges === undefined || ranges.length === 0) return null;
  const lists = ranges.filter(isRange).map((range) => {
    const address = range.addressPrefix ?? '';
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    const length = range.prefixLen ?? 0;
    const list = new BlockList();
    list.addSubnet(address, length, family);
    return { list, family, length } as const;
  });
  return (input) => {
    const address = read(input);
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    let best = -1;
    for (const range of lists) {
      if (range.family === family && isIP(address) !== 0 && range.list.check(address, family)) {
        best = Math.max(best, range.length + 1);
      }
    }
    return best;
  };
}
