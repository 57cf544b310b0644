// The command line as a whole: its verbs in the order of `--help`, and the one place where an error becomes a line and a status.

import { messageOf, WeftError } from '@weft/lib/error';
import { Command, CommanderError } from 'commander';
import { analyzeCommand } from './command/analyze.ts';
import { applyCommand } from './command/apply.ts';
import { captureCommand } from './command/capture.ts';
import { completionCommand } from './command/completion.ts';
import { controlPlaneCommand } from './command/control-plane.ts';
import { deleteCommand } from './command/delete.ts';
import { diffCommand } from './command/diff.ts';
import { explainCommand } from './command/explain.ts';
import { getCommand } from './command/get.ts';
import { logsCommand } from './command/logs.ts';
import { proxyCommand } from './command/proxy.ts';
import { proxyConfigCommand } from './command/proxy-config.ts';
import { runCommand } from './command/run.ts';
import { statusCommand } from './command/status.ts';
import { upCommand } from './command/up.ts';
import { versionCommand } from './command/version.ts';
import { exitCode, exitCodeOf } from './exit-code.ts';
import { Invocation, type Surroundings } from './invocation.ts';

/** A verb's action: its exit status. */
export type Action = () => Promise<number> | number;

/** Makes a verb. `perform` runs its action and keeps the status. */
export type CommandMaker = (invocation: Invocation, perform: (action: Action) => Promise<void>) => Command;

const makers: readonly CommandMaker[] = [
  upCommand,
  runCommand,
  applyCommand,
  deleteCommand,
  getCommand,
  diffCommand,
  analyzeCommand,
  statusCommand,
  proxyConfigCommand,
  explainCommand,
  logsCommand,
  proxyCommand,
  controlPlaneCommand,
  captureCommand,
  versionCommand,
];

const footer = `
Exit status: 0 done, 1 failed or found something, 2 wrong usage, 3 no mesh is running, 4 --wait timed out.
The state of a mesh lies in $WEFT_HOME, else in the nearest .weft folder upwards, else in a new one here.

Examples:
  $ weft up examples/bookinfo
  $ weft apply -f examples/bookinfo/networking/virtual-service-reviews-v3.yaml --wait
  $ weft status`;

/** Runs one command line; resolves to the exit status. */
export async function runProgram(args: readonly string[], outside: Surroundings): Promise<number> {
  const invocation = new Invocation(outside);
  let status: number = exitCode.ok;
  const program = makeProgram(invocation, async (action) => {
    status = await action();
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    return report(error, args.includes('--verbose'), invocation);
  } finally {
    invocation.close();
  }
}

/** The whole tree of commands; completion reads it too. */
export function makeProgram(invocation: Invocation, perform: (action: Action) => Promise<void>): Command {
  const program = new Command('weft')
    .description('A service mesh on this machine: every process behind its own sidecar, mutual TLS, Istio YAML.')
    .option('--verbose', 'on an error, tell the whole chain of causes')
    .addHelpText('after', footer)
    .helpCommand('help [command]', 'help for a command');
  for (const make of makers) program.addCommand(make(invocation, perform));
  program.addCommand(completionCommand(invocation, perform, program));
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .showHelpAfterError('(--help tells more)')
      .configureOutput({
        writeOut: (text) => invocation.outside.out.write(text),
        writeErr: (text) => invocation.outside.err.write(text),
      });
    if (command !== program)
      command.addOption(program.createOption('--verbose', 'on an error, tell the whole chain of causes'));
  }
  return program;
}

function report(error: unknown, isVerbose: boolean, invocation: Invocation): number {
  if (error instanceof CommanderError) {
    // Commander has written its message; asking for help is no mistake.
    return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  }
  const code = error instanceof WeftError ? error.code : '';
  invocation.note(`weft: ${code === '' ? '' : `${code}: `}${messageOf(error)}`);
  if (isVerbose) invocation.note(causes(error));
  else if (!(error instanceof WeftError))
    invocation.note('weft: this was not expected; run again with --verbose for the details');
  return exitCodeOf(code);
}

function causes(error: unknown): string {
  const lines: string[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) lines.push(cause.stack ?? cause.message);
  return lines.join('\ncaused by: ');
}
