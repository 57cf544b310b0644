// Matches of filter chains that cannot stand: two that take the same connections, of which chance would choose one, and such as
// take none. As Envoy, both are refused.

import type { envoy } from '@weft/api/xds/types';
import { ipBytes } from '@weft/lib/ip-address';
import type { CompilePlace } from '../network-filter/network-context.ts';
import { compileCidr } from '../security/rbac/cidr.ts';

type ChainConfig = envoy.config.listener.v3.FilterChain;
type Match = envoy.config.listener.v3.FilterChainMatch;
type CidrRange = envoy.config.core.v3.CidrRange;

/** What one criterion asks for, in one spelling; a single empty text where it asks for nothing. */
type Wanted = ReadonlySet<string>;

/** Reports every match that is no good. */
export function checkChainMatches(chains: readonly ChainConfig[], place: CompilePlace): void {
  const before = place.issues.length;
  for (const [i, { filterChainMatch }] of chains.entries()) {
    const path = `${place.path}.filter_chains[${i}].filter_chain_match`;
    if (filterChainMatch !== undefined) checkMatch(filterChainMatch, { issues: place.issues, path });
  }
  if (place.issues.length === before) checkDoubles(chains, place);
}

const rangeFields = [
  ['prefix_ranges', 'prefixRanges'],
  ['direct_source_prefix_ranges', 'directSourcePrefixRanges'],
  ['source_prefix_ranges', 'sourcePrefixRanges'],
] as const;

function checkMatch(match: Match, { issues, path }: CompilePlace): void {
  for (const [name, field] of rangeFields) {
    for (const [i, range] of (match[field] ?? []).entries())
      compileCidr(range, { issues, path: `${path}.${name}[${i}]` });
  }
  for (const [i, name] of (match.serverNames ?? []).entries()) {
    if (name === '*' || !name.replace(/^\*\./, '').includes('*')) continue;
    const message = `"${name}" fits no server name; write a whole name, or "*." and the end of one`;
    issues.push({ code: 'WEFT0399', level: 'error', path: `${path}.server_names[${i}]`, message });
  }
}

function checkDoubles(chains: readonly ChainConfig[], { issues, path }: CompilePlace): void {
  const seen = new Map<string, number[]>();
  const all = chains.map(({ filterChainMatch }) => criteriaOf(filterChainMatch ?? {}));
  for (const [i, criteria] of all.entries()) {
    const groups = groupsOf(criteria);
    const earlier = groups.flatMap((group) => seen.get(group) ?? []).find((k) => overlap(all[k] ?? [], criteria));
    if (earlier !== undefined) {
      const message = `the chain${quoted(chains[i])} matches connections by the same criteria as filter_chains[${earlier}]${quoted(chains[earlier])}; tell them apart, or remove one`;
      issues.push({
        code: 'WEFT0846',
        level: 'error',
        path: `${path}.filter_chains[${i}].filter_chain_match`,
        message,
      });
    }
    for (const group of groups) seen.set(group, [...(seen.get(group) ?? []), i]);
  }
}

function quoted(chain: ChainConfig | undefined): string {
  return chain?.name ? ` "${chain.name}"` : '';
}

// Chains that differ in what most of them tell apart by need not be compared.
function groupsOf([names, ranges]: readonly Wanted[]): string[] {
  return [...(names ?? [])].flatMap((name) => [...(ranges ?? [])].map((range) => `${name} ${range}`));
}

function overlap(a: readonly Wanted[], b: readonly Wanted[]): boolean {
  return a.every((wanted, i) => [...wanted].some((value) => b[i]?.has(value)));
}

function criteriaOf(match: Match): Wanted[] {
  return [
    setOf((match.serverNames ?? []).map((name) => name.toLowerCase())),
    setOf((match.prefixRanges ?? []).map(canonicalRange)),
    setOf([String(match.destinationPort ?? '')]),
    setOf([match.transportProtocol ?? '']),
    setOf(match.applicationProtocols ?? []),
    setOf((match.directSourcePrefixRanges ?? []).map(canonicalRange)),
    setOf([String(match.sourceType ?? 'ANY')]),
    setOf((match.sourcePrefixRanges ?? []).map(canonicalRange)),
    setOf((match.sourcePorts ?? []).map(String)),
  ];
}

function setOf(values: readonly string[]): Wanted {
  return new Set(values.length === 0 ? [''] : values);
}

/** The bits that count, whatever else the address says. */
function canonicalRange({ addressPrefix = '', prefixLen = 0 }: CidrRange): string {
  const bits = [...(ipBytes(addressPrefix) ?? [])].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return `${bits.length}/${bits.slice(0, prefixLen)}`;
}
