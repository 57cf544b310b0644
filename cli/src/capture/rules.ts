// What is to be captured, independent of the program that makes the rules of it.

import { isIP } from 'node:net';
import { usageError } from '../exit-code.ts';

/** Ports from `first` to `last`. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface CaptureRules {
  readonly outboundPort: number;
  readonly inboundPort: number;
  /** Whose connections are the proxy's own. */
  readonly proxy: { readonly kind: 'uid' | 'gid'; readonly id: number };
  /** Destinations of outbound connections; null is all. */
  readonly includeCidrs: readonly string[] | null;
  readonly excludeCidrs: readonly string[];
  readonly excludeOutboundPorts: readonly PortRange[];
  /** Null is all. */
  readonly includeInboundPorts: readonly PortRange[] | null;
  readonly excludeInboundPorts: readonly PortRange[];
  /** How inbound connections arrive. Outbound ones are always redirected: TPROXY takes packets that come in only. */
  readonly mode: 'redirect' | 'tproxy';
  readonly isIpv6: boolean;
}

/** The table of nft, and the prefix of the chains of iptables. */
export const tableName = 'weft_capture';

/** Where the proxy connects to its own workload from, so that this is not captured again: `upstream_bind_config` of its clusters. */
export const ownSource = { 4: '127.0.0.6', 6: '::6' } as const;

/** Loopback as a range of destinations. */
export const loopback = { 4: '127.0.0.0/8', 6: '::1/128' } as const;

/** Left alone: such an address means nothing without its interface, which the kernel does not tell with the destination. */
export const linkLocal = 'fe80::/10';

/** TPROXY: packets with this mark are looked up in this routing table, which delivers everything here. */
export const tproxyMark = 1337;
export const tproxyTable = 1337;
export const tproxyPreference = 1337;

export type Version = 4 | 6;

export function versionsOf(rules: CaptureRules): readonly Version[] {
  return rules.isIpv6 ? [4, 6] : [4];
}

/** The ranges of one family; null stays null, which is all. */
export function cidrsOf<T extends readonly string[] | null>(cidrs: T, version: Version): T {
  return (cidrs?.filter((cidr) => cidr.includes(':') === (version === 6)) ?? null) as T;
}

/** `10.0.0.0/8` or `10.0.0.1`, separated by commas. */
export function parseCidrs(text: string, option: string): string[] {
  return listOf(text).map((cidr) => {
    const [address = '', length, ...more] = cidr.split('/');
    const bits = isIP(address) === 6 ? 128 : 32;
    const isLength = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= bits);
    if (isIP(address) !== 0 && !address.includes('%') && isLength && more.length === 0) {
      return length === undefined ? `${address}/${bits}` : cidr;
    }
    throw usageError(`${option}: '${cidr}' is no address range; write one such as 10.0.0.0/8 or fd00::/8.`);
  });
}

/** `80` or `8000-8099`, separated by commas. */
export function parsePorts(text: string, option: string): PortRange[] {
  return listOf(text).map((range) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match !== null && first >= 1 && last >= first && last <= 65_535) return { first, last };
    throw usageError(`${option}: '${range}' is no port; write one such as 8080, or a range such as 8000-8099.`);
  });
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
