// What capture needs besides packet rules: local delivery of packets that TPROXY marked, and the address ::6 on loopback.

import {
  type CaptureRules,
  ownSource,
  tproxyMark,
  tproxyPreference,
  tproxyTable,
  type Version,
  versionsOf,
} from './rules.ts';
import type { Step } from './step.ts';

const everything: Readonly<Record<Version, string>> = { 4: '0.0.0.0/0', 6: '::/0' };
const both: readonly Version[] = [4, 6];

export function routingInstall(rules: CaptureRules): Step[] {
  return [
    ...(rules.mode === 'tproxy' ? versionsOf(rules).flatMap(addRoute) : []),
    ...(rules.isIpv6 ? [addAddress] : []),
  ];
}

/** What another choice of options may have left. */
export function routingLeftovers(rules: CaptureRules): Step[] {
  const unwanted = both.filter((version) => rules.mode !== 'tproxy' || !versionsOf(rules).includes(version));
  return [...unwanted.flatMap(removeRoute), ...(rules.isIpv6 ? [] : [removeAddress()])];
}

export function routingRemove(): Step[] {
  return [...both.flatMap(removeRoute), removeAddress()];
}

/** Whether these steps need the program `ip` at all. */
export function needsRouting(rules: CaptureRules): boolean {
  return rules.mode === 'tproxy' || rules.isIpv6;
}

const addAddress: Step = { program: 'ip', args: ['-6', 'addr', 'replace', `${ownSource[6]}/128`, 'dev', 'lo'] };

function removeAddress(): Step {
  const asked = ['-6', 'addr', 'show', 'dev', 'lo', 'to', `${ownSource[6]}/128`];
  return {
    program: 'ip',
    args: ['-6', 'addr', 'del', `${ownSource[6]}/128`, 'dev', 'lo'],
    condition: { runsIf: true, program: 'ip', args: asked, bySaying: true },
  };
}

/** The whole rule: another one may have the same preference, and is not ours. */
const rule: readonly string[] = [
  ...['pref', String(tproxyPreference)],
  ...['fwmark', String(tproxyMark)],
  ...['lookup', String(tproxyTable)],
];
const table: readonly string[] = ['table', String(tproxyTable)];

function addRoute(version: Version): Step[] {
  const family = `-${version}`;
  return [
    {
      program: 'ip',
      args: [family, 'rule', 'add', ...rule],
      condition: { runsIf: false, ...shownRule(version) },
    },
    {
      program: 'ip',
      args: [family, 'route', 'replace', 'local', everything[version], 'dev', 'lo', ...table],
    },
  ];
}

function removeRoute(version: Version): Step[] {
  const family = `-${version}`;
  const routes = [...table, 'type', 'local'];
  return [
    {
      program: 'ip',
      args: [family, 'rule', 'del', ...rule],
      condition: { runsIf: true, ...shownRule(version) },
    },
    {
      program: 'ip',
      args: [family, 'route', 'flush', ...routes],
      condition: { runsIf: true, program: 'ip', args: [family, 'route', 'show', ...routes], bySaying: true },
    },
  ];
}

function shownRule(version: Version): { program: string; args: readonly string[]; bySaying: true } {
  return { program: 'ip', args: [`-${version}`, 'rule', 'show', ...rule], bySaying: true };
}
