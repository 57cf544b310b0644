// weft capture install|remove|print: rules of the kernel that bring a workload's connections to its proxy.

import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import type { Backend, InstallPlan } from '../capture/plan.ts';
import type { CaptureRules } from '../capture/rules.ts';
import type { Step } from '../capture/step.ts';
import type { CaptureSystem } from '../capture/system.ts';
import { exitCode, usageError } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import type { CommandMaker } from '../program.ts';

type CaptureAction = 'install' | 'remove' | 'print';

interface Options {
  readonly outboundPort: number;
  readonly inboundPort: number;
  readonly proxyUid?: number;
  readonly proxyGid?: number;
  readonly includeCidr: string;
  readonly excludeCidr: string;
  readonly includeInboundPorts: string;
  readonly excludeInboundPorts: string;
  readonly excludeOutboundPorts: string;
  readonly mode: CaptureRules['mode'];
  readonly ipv4Only?: true;
  readonly ipv6?: true;
  readonly netns?: string;
  readonly backend?: Backend;
  readonly dryRun?: true;
}

export const captureCommand: CommandMaker = (invocation, perform) =>
  addOptions(new Command('capture'))
    .description("bring a workload's connections to its proxy by rules of the kernel, or take these rules away (Linux)")
    .addArgument(new Argument('<action>', 'what to do').choices(['install', 'remove', 'print']))
    .addHelpText(
      'after',
      `
Installing again replaces the rules. Connections of the proxy itself are left alone: run it under a user or group of its own.

Examples:
  $ sudo weft capture install --proxy-uid 1337
  $ weft capture print --mode tproxy --exclude-cidr 169.254.0.0/16
  $ sudo weft capture remove --netns shop`,
    )
    .action((action: CaptureAction, options: Options) =>
      perform(async () => {
        await capture(invocation, action, options);
        return exitCode.ok;
      }),
    );

const noPort = 'It must be a port from 1 to 65535.';
const noId = 'It must be a number from 0 to 4294967294.';

function addOptions(command: Command): Command {
  return command
    .option('--outbound-port <port>', 'where the proxy takes outbound connections', numberOf(1, 65_535, noPort), 15_001)
    .option('--inbound-port <port>', 'where the proxy takes inbound connections', numberOf(1, 65_535, noPort), 15_006)
    .addOption(
      new Option('--proxy-uid <uid>', 'user of the proxy (1337 if neither is given)')
        .argParser(numberOf(0, 4_294_967_294, noId))
        .conflicts('proxyGid'),
    )
    .addOption(new Option('--proxy-gid <gid>', 'group of the proxy').argParser(numberOf(0, 4_294_967_294, noId)))
    .option('--include-cidr <ranges>', "outbound: capture these destinations only, or '*' for all", '*')
    .option('--exclude-cidr <ranges>', 'outbound: leave these destinations alone', '')
    .option('--include-inbound-ports <ports>', "inbound: capture these ports only, '*' for all, 'none' for none", '*')
    .option('--exclude-inbound-ports <ports>', 'inbound: leave these ports alone', '22')
    .option('--exclude-outbound-ports <ports>', 'outbound: leave these destination ports alone', '')
    .addOption(
      new Option(
        '--mode <mode>',
        'how inbound connections arrive; tproxy keeps their destination, and the proxy needs CAP_NET_ADMIN',
      )
        .choices(['redirect', 'tproxy'])
        .default('redirect'),
    )
    .addOption(new Option('--ipv4-only', 'leave IPv6 alone').conflicts('ipv6'))
    .option('--ipv6', 'capture IPv6 too, even if no interface has an address of it yet')
    .option('--netns <name>', 'in this network namespace: a name, or a path such as /proc/PID/ns/net')
    .addOption(new Option('--backend <program>', 'makes the rules; nft if there is one').choices(['nft', 'iptables']))
    .option('--dry-run', 'print the commands, run none');
}

function numberOf(min: number, max: number, problem: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,10}$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(problem);
  };
}

async function capture(invocation: Invocation, action: CaptureAction, options: Options): Promise<void> {
  const { enterNamespace, ThisMachine } = await import('../capture/system.ts');
  const { checkRights, runSteps } = await import('../capture/plan.ts');
  const { shellScript, shellText } = await import('../capture/step.ts');
  const enter = enterNamespace(options.netns);
  const system = new ThisMachine(invocation.outside.env, enter);
  const show = (step: Step): void => invocation.print(shellText(step, enter));
  const isDry = action === 'print' || options.dryRun === true;
  if (!isDry) checkRights(system);
  const { make, clean } = await planOf(system, action, options);
  const steps = [...make, ...clean];
  if (isDry) {
    invocation.print(shellScript(steps, enter));
    return;
  }
  runSteps(system, steps, ({ condition: _, ...step }) => show(step));
  invocation.note(action === 'install' ? 'Capture is installed.' : 'Nothing is captured any more.');
}

async function planOf(system: CaptureSystem, action: CaptureAction, options: Options): Promise<InstallPlan> {
  const { chooseBackend, planInstall, removeSteps } = await import('../capture/plan.ts');
  if (action === 'remove') return { make: removeSteps(system), clean: [] };
  const rules = await rulesOf(system, options);
  return planInstall(system, rules, chooseBackend(system, options.backend));
}

async function rulesOf(system: CaptureSystem, options: Options): Promise<CaptureRules> {
  const { parseCidrs, parsePorts } = await import('../capture/rules.ts');
  const { ipv6Wanted } = await import('../capture/plan.ts');
  const { outboundPort, inboundPort, includeCidr, includeInboundPorts } = options;
  if (outboundPort === inboundPort) throw usageError('--outbound-port and --inbound-port must differ.');
  const included = includeInboundPorts === 'none' ? '' : includeInboundPorts;
  return {
    outboundPort,
    inboundPort,
    proxy:
      options.proxyGid === undefined
        ? { kind: 'uid', id: options.proxyUid ?? 1337 }
        : { kind: 'gid', id: options.proxyGid },
    includeCidrs: includeCidr === '*' ? null : parseCidrs(includeCidr, '--include-cidr'),
    excludeCidrs: parseCidrs(options.excludeCidr, '--exclude-cidr'),
    excludeOutboundPorts: parsePorts(options.excludeOutboundPorts, '--exclude-outbound-ports'),
    includeInboundPorts: included === '*' ? null : parsePorts(included, '--include-inbound-ports'),
    excludeInboundPorts: parsePorts(options.excludeInboundPorts, '--exclude-inbound-ports'),
    mode: options.mode,
    isIpv6: options.ipv4Only === true ? false : options.ipv6 === true || ipv6Wanted(system),
  };
}
