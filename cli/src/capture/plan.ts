// Which steps install or remove capture on a machine, by the programs it has; runs them, and says what is missing.

import { WeftError } from '@weft/lib/error';
import { iptablesInstall, iptablesLeftovers, iptablesRemove } from './iptables.ts';
import { nftInstall, nftRemove } from './nft.ts';
import { needsRouting, routingInstall, routingLeftovers, routingRemove } from './routing.ts';
import { type CaptureRules, type Version, versionsOf } from './rules.ts';
import type { Condition, Step } from './step.ts';
import { type CaptureSystem, hasIpv6 } from './system.ts';

/** The programs that make packet rules; `iptables` stands for `ip6tables` too. */
export type Backend = 'nft' | 'iptables';

/** nft where there is one. */
export function chooseBackend(system: CaptureSystem, wanted: Backend | undefined): Backend {
  if (wanted !== undefined && system.has(wanted)) return wanted;
  if (wanted === undefined && system.has('nft')) return 'nft';
  if (wanted === undefined && system.has('iptables')) return 'iptables';
  throw missing(wanted ?? 'neither nft nor iptables', wanted === 'iptables' ? 'iptables' : 'nftables');
}

function missing(what: string, packageName: string): WeftError {
  const verb = what.startsWith('neither') ? `${what} is installed` : `${what} is not installed`;
  return new WeftError(
    'WEFT0856',
    `${verb}, so no connection can be redirected; install the package ${packageName}, for example: apt-get install ${packageName}`,
  );
}

/** What installing does: `make` the rules, then `clean` what other options or the other backend may have left. */
export interface InstallPlan {
  readonly make: readonly Step[];
  readonly clean: readonly Step[];
}

export function planInstall(system: CaptureSystem, rules: CaptureRules, backend: Backend): InstallPlan {
  if (needsRouting(rules) && !system.has('ip')) throw missing('ip', 'iproute2');
  if (backend === 'iptables' && rules.isIpv6 && !system.has('ip6tables')) throw missing('ip6tables', 'iptables');
  const versions = versionsOf(rules);
  const make = [
    ...routingInstall(rules),
    ...(backend === 'nft' ? [nftInstall(rules)] : versions.flatMap((version) => iptablesInstall(rules, version))),
  ];
  const routing = system.has('ip') ? routingLeftovers(rules) : [];
  if (backend === 'nft') return { make, clean: [...iptablesRemoval(system, [4, 6]), ...routing] };
  const otherMode = versions.flatMap((version) => iptablesLeftovers(rules.mode, version));
  const otherFamily = iptablesRemoval(system, rules.isIpv6 ? [] : [6]);
  return { make, clean: [...otherMode, ...otherFamily, ...nftRemoval(system), ...routing] };
}

/** Removing looks for what any way of installing made. */
export function removeSteps(system: CaptureSystem): Step[] {
  const routing = system.has('ip') ? routingRemove() : [];
  return [...nftRemoval(system), ...iptablesRemoval(system, [4, 6]), ...routing];
}

function nftRemoval(system: CaptureSystem): Step[] {
  return system.has('nft') ? [nftRemove] : [];
}

function iptablesRemoval(system: CaptureSystem, versions: readonly Version[]): Step[] {
  return versions.filter((version) => system.has(version === 4 ? 'iptables' : 'ip6tables')).flatMap(iptablesRemove);
}

/** Refuses, with what to do, where rules cannot be changed. */
export function checkRights(system: CaptureSystem): void {
  if (!system.isLinux) {
    throw new WeftError(
      'WEFT0858',
      'connections can be captured on Linux only; elsewhere use explicit capture: weft up',
    );
  }
  if (!system.mayChangeNetwork) {
    throw new WeftError(
      'WEFT0855',
      'changing the rules of the network needs the capability CAP_NET_ADMIN, which this process has not; run it as root, for example with sudo',
    );
  }
  // Whatever is asked of a namespace that is not there would look as if nothing was installed in it.
  checkNamespace(system, '');
}

/** Whether IPv6 is captured where no option says so: if the namespace has an address of it. Refuses where that cannot be seen. */
export function ipv6Wanted(system: CaptureSystem): boolean {
  if (system.isLinux) checkNamespace(system, ', or say --ipv4-only or --ipv6');
  return hasIpv6(system);
}

function checkNamespace(system: CaptureSystem, alternative: string): void {
  const { status, err } = system.run('true', []);
  if (status === 0) return;
  throw new WeftError(
    'WEFT0859',
    `the network namespace cannot be entered: ${oneLine(err)}; name one that is there (ip netns list, or /proc/PID/ns/net) and run as root, with nsenter installed${alternative}`,
  );
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, ' ');
}

/** Runs the steps in order, telling each before it runs; ends at the first that fails. */
export function runSteps(system: CaptureSystem, steps: readonly Step[], tell: (step: Step) => void): void {
  for (const step of steps) {
    if (step.condition !== undefined && !holds(system, step.condition)) continue;
    tell(step);
    const { status, err } = system.run(step.program, step.args, step.input);
    if (status === 0) continue;
    const reason = oneLine(err) || `status ${status}`;
    throw new WeftError(
      'WEFT0857',
      `${step.program} refused: ${reason}; the namespace may lack the kernel module, or this process a right. ` +
        'What was done so far is removed by: weft capture remove',
    );
  }
}

function holds(system: CaptureSystem, { runsIf, program, args, bySaying }: Condition): boolean {
  const { status, out } = system.run(program, args);
  const isSo = status === 0 && (bySaying !== true || out.trim() !== '');
  return isSo === runsIf;
}
