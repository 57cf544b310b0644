// Starts the programs of a run on cores of their own, keeps what they say, and ends them again.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const running: Set<Child> = new Set();

/** They are in groups of their own: nobody else ends them when this one is ended. */
function endWithThisProcess(): void {
  process.on('exit', () => {
    for (const child of running) child.signal('SIGKILL');
  });
  for (const [name, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const)
    process.on(name, () => process.exit(128 + number));
}

/** A program that runs until `stop`, or until this process ends. */
export class Child {
  readonly pid: number;
  private readonly process: ChildProcess;
  private readonly logPath: string;
  private readonly ended: Promise<void>;
  hasEnded = false;

  constructor(
    cores: number | readonly number[],
    command: readonly string[],
    logPath: string,
    environment: NodeJS.ProcessEnv,
  ) {
    const log = openSync(logPath, 'w');
    // A group of its own, so that all of it can be ended; taskset becomes the program.
    this.process = spawn('taskset', ['-c', String(cores), ...command], {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, ...environment },
    });
    closeSync(log);
    if (running.size === 0 && process.listenerCount('SIGTERM') === 0) endWithThisProcess();
    running.add(this);
    this.logPath = logPath;
    this.pid = this.process.pid ?? -1;
    this.ended = new Promise((resolve) => {
      const onEnd = () => {
        this.hasEnded = true;
        running.delete(this);
        resolve();
      };
      this.process.once('exit', onEnd);
      this.process.once('error', onEnd);
    });
  }

  /** Waits until something accepts on the port; throws with the end of the log when the program ends first or takes too long. */
  async listening(port: number, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.hasEnded && performance.now() < deadline) {
      if (await accepts(port)) return;
      await Promise.race([delay(20), this.ended]);
    }
    throw new Error(
      `${this.hasEnded ? 'ended at once' : `did not listen within ${timeoutMs} ms`}: ${this.lastWords()}`,
    );
  }

  lastWords(): string {
    const lines = readFileSync(this.logPath, 'utf8').trim().split('\n');
    return lines.slice(-6).join('\n').slice(-900) || 'it said nothing';
  }

  async stop(): Promise<void> {
    if (this.hasEnded) return;
    this.signal('SIGTERM');
    await Promise.race([this.ended, delay(3000)]);
    if (!this.hasEnded) this.signal('SIGKILL');
    await this.ended;
  }

  signal(name: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, name);
    } catch {
      // The group has just ended.
    }
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
