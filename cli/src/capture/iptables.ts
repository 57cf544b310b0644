// The same rules for iptables and ip6tables, where there is no nft: chains of our own, filled in one transaction per table and
// reached by one jump each.

import {
  type CaptureRules,
  cidrsOf,
  linkLocal,
  loopback,
  ownSource,
  type PortRange,
  tproxyMark,
  type Version,
} from './rules.ts';
import type { Step } from './step.ts';

const program: Readonly<Record<Version, string>> = { 4: 'iptables', 6: 'ip6tables' };
/** How long to wait for another program that changes rules, in seconds. */
const wait = ['-w', '10'];
const toLocal = '-p tcp -m addrtype --dst-type LOCAL';

interface Jump {
  readonly table: 'nat' | 'mangle';
  readonly from: 'OUTPUT' | 'PREROUTING';
  readonly match: string;
  readonly to: string;
}

const outputJump: Jump = { table: 'nat', from: 'OUTPUT', match: '-p tcp', to: 'WEFT_OUTPUT' };
const redirectJump: Jump = { table: 'nat', from: 'PREROUTING', match: toLocal, to: 'WEFT_INBOUND' };
const divertJump: Jump = { table: 'mangle', from: 'PREROUTING', match: toLocal, to: 'WEFT_ARRIVAL' };

const chains: Readonly<Record<Jump['table'], readonly string[]>> = {
  nat: ['WEFT_OUTPUT', 'WEFT_INBOUND'],
  mangle: ['WEFT_ARRIVAL', 'WEFT_DIVERT'],
};

/** Chains first, then the jumps that are not there yet, so that installing twice changes nothing in between. */
export function iptablesInstall(rules: CaptureRules, version: Version): Step[] {
  const isTproxy = rules.mode === 'tproxy';
  return [
    restore(version, 'nat', [...outputChain(rules, version), ...redirectedPorts(rules, version)]),
    ...(isTproxy ? [restore(version, 'mangle', divertChains(rules, version))] : []),
    addJump(version, outputJump),
    addJump(version, isTproxy ? divertJump : redirectJump),
  ];
}

/** What the other mode may have left. */
export function iptablesLeftovers(mode: CaptureRules['mode'], version: Version): Step[] {
  return mode === 'tproxy' ? removeJump(version, redirectJump) : removeTable(version, 'mangle');
}

export function iptablesRemove(version: Version): Step[] {
  return [...removeTable(version, 'nat'), ...removeTable(version, 'mangle')];
}

function restore(version: Version, table: Jump['table'], rules: readonly string[]): Step {
  // Naming a chain empties it.
  const names = chains[table].map((name) => `:${name} - [0:0]\n`);
  const input = `*${table}\n${names.join('')}${rules.map((rule) => `-A ${rule}\n`).join('')}COMMIT\n`;
  return { program: `${program[version]}-restore`, args: [...wait, '--noflush'], input };
}

function jumpArgs({ table, from, match, to }: Jump, verb: string): string[] {
  return [...wait, '-t', table, verb, from, ...match.split(' '), '-j', to];
}

function addJump(version: Version, jump: Jump): Step {
  const condition = { runsIf: false, program: program[version], args: jumpArgs(jump, '-C') };
  return { program: program[version], args: jumpArgs(jump, '-A'), condition };
}

function removeJump(version: Version, jump: Jump): Step[] {
  const condition = { runsIf: true, program: program[version], args: jumpArgs(jump, '-C') };
  return [{ program: program[version], args: jumpArgs(jump, '-D'), condition }];
}

function removeTable(version: Version, table: Jump['table']): Step[] {
  const jumps = [outputJump, redirectJump, divertJump].filter((jump) => jump.table === table);
  const onChains = (verb: string): Step[] =>
    chains[table].map((name) => ({
      program: program[version],
      args: [...wait, '-t', table, verb, name],
      condition: { runsIf: true, program: program[version], args: [...wait, '-t', table, '-S', name] },
    }));
  // All are emptied before any is deleted, as they refer to each other.
  return [...jumps.flatMap((jump) => removeJump(version, jump)), ...onChains('-F'), ...onChains('-X')];
}

function outputChain(rules: CaptureRules, version: Version): string[] {
  const isProxy = `-m owner --${rules.proxy.kind}-owner ${rules.proxy.id}`;
  const redirect = `-j REDIRECT --to-ports ${rules.outboundPort}`;
  const included = cidrsOf(rules.includeCidrs, version);
  return [
    `-s ${ownSource[version]} -j RETURN`,
    `-o lo ! -d ${loopback[version]} ${isProxy} -j WEFT_INBOUND`,
    `${isProxy} -j RETURN`,
    '-o lo -j RETURN',
    ...notLinkLocal(version),
    ...rules.excludeOutboundPorts.map((range) => `${portMatch(range)} -j RETURN`),
    ...cidrsOf(rules.excludeCidrs, version).map((cidr) => `-d ${cidr} -j RETURN`),
    ...(included === null ? [`-p tcp ${redirect}`] : included.map((cidr) => `-d ${cidr} -p tcp ${redirect}`)),
  ].map((rule) => `WEFT_OUTPUT ${rule}`);
}

function notLinkLocal(version: Version): string[] {
  return version === 6 ? [`-d ${linkLocal} -j RETURN`] : [];
}

function redirectedPorts(rules: CaptureRules, version: Version): string[] {
  const ports = inboundPorts(rules, '-p tcp', `-j REDIRECT --to-ports ${rules.inboundPort}`);
  return [...notLinkLocal(version), ...ports].map((rule) => `WEFT_INBOUND ${rule}`);
}

function inboundPorts(rules: CaptureRules, tcp: string, verdict: string): string[] {
  return [
    ...rules.excludeInboundPorts.map((range) => `${portMatch(range)} -j RETURN`),
    ...(rules.includeInboundPorts === null
      ? [`${tcp} ${verdict}`]
      : rules.includeInboundPorts.map((range) => `${portMatch(range, tcp)} ${verdict}`)),
  ];
}

function divertChains(rules: CaptureRules, version: Version): string[] {
  const verdict = `-j TPROXY --on-port ${rules.inboundPort} --tproxy-mark ${tproxyMark}`;
  const ports = inboundPorts(rules, '-p tcp --syn', verdict);
  return [
    'WEFT_ARRIVAL -i lo -j RETURN',
    'WEFT_ARRIVAL -p tcp -m socket --transparent -j WEFT_DIVERT',
    ...[...notLinkLocal(version), ...ports].map((rule) => `WEFT_ARRIVAL ${rule}`),
    `WEFT_DIVERT -j MARK --set-mark ${tproxyMark}`,
    'WEFT_DIVERT -j ACCEPT',
  ];
}

function portMatch({ first, last }: PortRange, tcp = '-p tcp'): string {
  return `${tcp} --dport ${first === last ? first : `${first}:${last}`}`;
}
