// Capture rules for nft: one table of our own, replaced as a whole in one transaction.
//
// A connection of this machine meets the chain `output`: what the proxy itself opens passes, but for what it sends to this
// workload's own address as to any other endpoint, which has to come in by the inbound side. Everything else goes to the
// outbound port. A connection from elsewhere meets `prerouting` (or `divert` with TPROXY) and goes to the inbound port.

import {
  type CaptureRules,
  cidrsOf,
  linkLocal,
  loopback,
  ownSource,
  type PortRange,
  tableName,
  tproxyMark,
  type Version,
  versionsOf,
} from './rules.ts';
import type { Step } from './step.ts';

const family: Readonly<Record<Version, string>> = { 4: 'ip', 6: 'ip6' };

/** Installing twice is installing once: adding the table makes sure that there is one to delete. */
export function nftInstall(rules: CaptureRules): Step {
  return { program: 'nft', args: ['-f', '-'], input: `${dropTable}${table(rules)}` };
}

export const nftRemove: Step = {
  program: 'nft',
  args: ['delete', 'table', 'inet', tableName],
  condition: { runsIf: true, program: 'nft', args: ['list', 'table', 'inet', tableName] },
};

const dropTable = `table inet ${tableName}\ndelete table inet ${tableName}\n`;

function table(rules: CaptureRules): string {
  const arrivals = rules.mode === 'tproxy' ? divertChain(rules) : preroutingChain(rules);
  const chains = [outputChain(rules), inboundChain(rules), arrivals];
  return `table inet ${tableName} {\n${chains.join('\n')}}\n`;
}

function chain(name: string, lines: readonly string[]): string {
  return `  chain ${name} {\n${lines.map((line) => `    ${line}\n`).join('')}  }\n`;
}

function onlyTcp(rules: CaptureRules): string[] {
  return ['meta l4proto != tcp return', ...(rules.isIpv6 ? [] : ['meta nfproto != ipv4 return'])];
}

function notLinkLocal({ isIpv6 }: CaptureRules): string[] {
  return isIpv6 ? [`ip6 daddr ${linkLocal} return`] : [];
}

function outputChain(rules: CaptureRules): string {
  const versions = versionsOf(rules);
  const isProxy = `meta ${rules.proxy.kind === 'uid' ? 'skuid' : 'skgid'} ${rules.proxy.id}`;
  return chain('output', [
    'type nat hook output priority -100; policy accept;',
    ...onlyTcp(rules),
    ...versions.map((version) => `${family[version]} saddr ${ownSource[version]} return`),
    ...versions.map(
      (version) => `oifname "lo" ${isProxy} ${family[version]} daddr != ${loopback[version]} jump inbound`,
    ),
    `${isProxy} return`,
    'oifname "lo" return',
    ...notLinkLocal(rules),
    ...rules.excludeOutboundPorts.map((range) => `${portMatch(range)} return`),
    ...versions.flatMap((version) => outboundDestinations(rules, version)),
  ]);
}

function outboundDestinations(rules: CaptureRules, version: Version): string[] {
  const match = `${family[version]} daddr`;
  const redirect = `redirect to :${rules.outboundPort}`;
  const included = cidrsOf(rules.includeCidrs, version);
  return [
    ...cidrsOf(rules.excludeCidrs, version).map((cidr) => `${match} ${cidr} return`),
    ...(included === null
      ? [`meta nfproto ipv${version} meta l4proto tcp ${redirect}`]
      : included.map((cidr) => `${match} ${cidr} meta l4proto tcp ${redirect}`)),
  ];
}

/** Which ports of the workload are captured; also for what the proxy sends to its own workload. */
function inboundChain(rules: CaptureRules): string {
  return chain('inbound', inboundPorts(rules, [`meta l4proto tcp redirect to :${rules.inboundPort}`]));
}

function inboundPorts(rules: CaptureRules, verdicts: readonly string[]): string[] {
  const included = rules.includeInboundPorts?.map((range) => `${portMatch(range)} `) ?? [''];
  return [
    ...notLinkLocal(rules),
    ...rules.excludeInboundPorts.map((range) => `${portMatch(range)} return`),
    ...included.flatMap((match) => verdicts.map((verdict) => `${match}${verdict}`)),
  ];
}

function preroutingChain(rules: CaptureRules): string {
  return chain('prerouting', [
    'type nat hook prerouting priority -100; policy accept;',
    ...onlyTcp(rules),
    'fib daddr type local jump inbound',
  ]);
}

function divertChain(rules: CaptureRules): string {
  const mark = `meta mark set ${tproxyMark}`;
  const verdicts = versionsOf(rules).map(
    (version) =>
      `meta nfproto ipv${version} meta l4proto tcp tproxy ${family[version]} to :${rules.inboundPort} ${mark} accept`,
  );
  return chain('divert', [
    'type filter hook prerouting priority -150; policy accept;',
    ...onlyTcp(rules),
    'iifname "lo" return',
    `socket transparent 1 ${mark} accept`,
    'fib daddr type != local return',
    'tcp flags & (fin | syn | rst | ack) != syn return',
    ...inboundPorts(rules, verdicts),
  ]);
}

function portMatch({ first, last }: PortRange): string {
  return `tcp dport ${first === last ? first : `${first}-${last}`}`;
}
