// One child process in a process group of its own, which ends when we do: Weft's own programs by the tether, users' programs by
// the guard. Stopping ends the whole group.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WeftError } from '@weft/lib/error';
import { hasLiveMember } from '../state/process-identity.ts';
import { closeLog, openLog } from './log-file.ts';

const guardPath = fileURLToPath(new URL('./guard.sh', import.meta.url));
const tetherUrl = new URL('./tether.mjs', import.meta.url).href;
const pollMs = 20;
const leftoverGraceMs = 1000;
const watcherGraceMs = 8000;

/** What to start. */
export interface ChildSpec {
  /** For a Weft program: the path of its entry and its arguments, run by this Node. For a user's: program and arguments. */
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly workingFolder: string;
  /** File that takes standard output and error, or `terminal` to share ours. */
  readonly output: string | 'terminal';
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Whether we ended it because nobody would have ended it with us any more. */
  readonly isUnwatched?: boolean;
}

/** "exited with status 1", "was killed by SIGKILL". */
export function describeExit(exit: Exit): string {
  if (exit.isUnwatched) return 'was ended because its watcher was killed';
  if (exit.signal !== null) return `was killed by ${exit.signal}`;
  const signal = signalOf(exit.code ?? 0);
  if (signal !== null) return `was killed by ${signal}`;
  return `exited with status ${exit.code ?? 0}`;
}

/** The guard, a shell, reports a signal of its process as 128 + number; other statuses are a program's own, such as 255. */
function signalOf(code: number): string | null {
  const found = Object.entries(constants.signals).find(([, number]) => number === code - 128);
  return found === undefined ? null : found[0];
}

/** Starts one of Weft's own programs (an entry `.mjs`). */
export function startOwnChild(spec: ChildSpec): Child {
  const env = { ...spec.env, WEFT_TETHER: '3' };
  return start(process.execPath, ['--import', tetherUrl, ...spec.command], { ...spec, env });
}

/** Starts a user's program under the guard. */
export function startUserChild(spec: ChildSpec): Child {
  assertRunnable(spec);
  const child = start('/bin/sh', [guardPath, ...spec.command], spec);
  child.endWithWatcher();
  return child;
}

function start(program: string, args: readonly string[], spec: ChildSpec): Child {
  const log = spec.output === 'terminal' ? 'inherit' : openLog(spec.output);
  try {
    const input = spec.output === 'terminal' ? 'inherit' : 'ignore';
    const child = spawn(program, args, {
      cwd: spec.workingFolder,
      env: spec.env,
      detached: true,
      stdio: [input, log, log, 'pipe'],
    });
    return new Child(child);
  } finally {
    if (typeof log === 'number') closeLog(log);
  }
}

/** A shell would only say "not found" into the log; this says it to the person, with where was looked. */
function assertRunnable({ command, env, workingFolder }: ChildSpec): void {
  const [program] = command;
  if (program === undefined) throw new WeftError('WEFT0810', 'the command is empty; give a program to run');
  if (!existsSync(workingFolder)) {
    throw new WeftError(
      'WEFT0810',
      `the working folder ${workingFolder} does not exist; make it or correct workingDirectory`,
    );
  }
  if (findProgram(program, env.PATH ?? '', workingFolder) !== null) return;
  const where = program.includes('/') ? `in ${workingFolder}` : 'on the PATH';
  throw new WeftError('WEFT0810', `the program ${program} was not found ${where}; install it or correct the command`);
}

/** The path of a program as a shell would find it, or null. */
export function findProgram(program: string, path: string, workingFolder: string): string | null {
  if (program.includes('/')) {
    const full = isAbsolute(program) ? program : resolve(workingFolder, program);
    return existsSync(full) ? full : null;
  }
  for (const folder of path.split(delimiter)) {
    const full = join(resolve(workingFolder, folder || '.'), program);
    if (existsSync(full)) return full;
  }
  return null;
}

/** A started process and its group. */
export class Child {
  readonly pid: number;
  readonly startedAtMs: number = performance.now();
  /** Resolves when the process has ended and nothing of its group is left. */
  readonly ended: Promise<Exit>;
  private readonly process: ChildProcess;
  private isOver = false;
  private isUnwatched = false;

  constructor(child: ChildProcess) {
    this.process = child;
    this.pid = child.pid ?? 0;
    this.ended = this.watch();
  }

  /** Without its watcher it would outlive us: it is ended, and whoever keeps it running starts it anew with another. */
  endWithWatcher(): void {
    const tether = this.process.stdio[3];
    if (tether === null || tether === undefined || !('resume' in tether)) return;
    tether.once('end', () => {
      // The guard itself has ended, which its exit tells.
      if (this.process.exitCode !== null || this.process.signalCode !== null || !hasLiveMember(this.pid)) return;
      this.isUnwatched = true;
      void this.stop(watcherGraceMs);
    });
    tether.resume();
  }

  private async watch(): Promise<Exit> {
    const tether = this.process.stdio[3];
    tether?.on('error', () => {});
    const exit = await new Promise<Exit>((resolve) => {
      this.process.once('error', () => resolve({ code: 127, signal: null }));
      this.process.once('exit', (code, signal) => resolve({ code, signal }));
    });
    if (tether !== null && tether !== undefined && 'end' in tether) tether.end('done\n');
    await this.clearGroup();
    this.isOver = true;
    tether?.destroy();
    return this.isUnwatched ? { ...exit, isUnwatched: true } : exit;
  }

  /** What the program started may outlive it (a wrapper that was killed): it is asked to end, then made to. */
  private async clearGroup(): Promise<void> {
    for (let waitedMs = 0; this.signalGroup(0) && hasLiveMember(this.pid); waitedMs += pollMs) {
      // The guard's watcher needs a moment to read its line; only what stays longer is a leftover.
      if (waitedMs === 5 * pollMs) this.signalGroup('SIGTERM');
      if (waitedMs >= leftoverGraceMs) this.signalGroup('SIGKILL');
      if (waitedMs >= 3 * leftoverGraceMs) return;
      await sleep(pollMs);
    }
  }

  private signalGroup(signal: NodeJS.Signals | 0): boolean {
    try {
      return this.pid > 0 && process.kill(-this.pid, signal);
    } catch {
      return false;
    }
  }

  /** Asks the group to end and makes it end after the grace time. */
  async stop(graceMs: number): Promise<void> {
    if (this.isOver) return;
    this.signalGroup('SIGTERM');
    const timer = setTimeout(() => this.signalGroup('SIGKILL'), graceMs);
    await this.ended;
    clearTimeout(timer);
  }
}
