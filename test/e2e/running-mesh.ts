// A real mesh for end-to-end tests: `weft up` as a process on free ports with a state folder of its own, and what one does with it.

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunFile } from '@weft/local/state/run-file';
import { environmentOf, runningProcesses } from './process-table.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const entry = join(root, 'cli/main.mjs');
const startMs = 60_000;
const stopMs = 30_000;
const lookMs = 25;

/** A path below the example's routing files. */
export const rule = (name: string): string => join(root, 'examples/bookinfo/networking', `${name}.yaml`);

/** What a `weft` command did. */
export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Asks again and again until the answer is truthy. */
export async function eventually<T>(what: string, ask: () => T | Promise<T>, waitMs = 20_000): Promise<NonNullable<T>> {
  for (const giveUp = performance.now() + waitMs; performance.now() < giveUp; ) {
    const value = await ask();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  throw new Error(`waited ${waitMs} ms in vain until ${what}`);
}

/** One `weft up` and the commands that talk to it. */
export class RunningMesh {
  readonly state: string;
  private readonly config: string;
  private child: ChildProcess | null = null;
  private exit: Promise<number | null> = Promise.resolve(null);
  private output = '';

  constructor(config: string) {
    this.config = config;
    this.state = mkdtempSync(join(tmpdir(), 'weft-e2e-'));
  }

  /** What `weft up` printed so far. */
  get log(): string {
    return this.output;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  get run(): RunFile {
    return JSON.parse(readFileSync(join(this.state, 'run.json'), 'utf8'));
  }

  get isAnnounced(): boolean {
    return existsSync(join(this.state, 'run.json'));
  }

  get page(): string {
    return `${this.run.ingress}/productpage`;
  }

  /** Starts it and waits until everything is ready. */
  async start(): Promise<void> {
    const child = this.spawn(['up', this.config, '--ingress-port', '0', '--api-port', '0']);
    this.child = child;
    this.output = '';
    const keep = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    this.exit = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    try {
      await eventually(
        'the mesh is up',
        () => this.output.includes('The mesh is up') || child.exitCode !== null,
        startMs,
      );
      assert.equal(child.exitCode, null);
    } catch (error) {
      throw new Error(`weft up did not come up: ${this.output}\n${this.logs()}`, { cause: error });
    }
  }

  /** Ends it as Ctrl-C does; resolves to its exit status. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    this.child?.kill(signal);
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`weft up did not end: ${this.output}`)), stopMs).unref();
    });
    return Promise.race([this.exit, late]);
  }

  /** Stops what still runs and removes the state. */
  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    await eventually('every process is gone', () => this.processes().length === 0);
    rmSync(this.state, { recursive: true, force: true });
  }

  /** Runs a `weft` command to its end. */
  weft(...args: string[]): Promise<Outcome> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [entry, ...args],
        { cwd: root, env: this.env, maxBuffer: 1 << 26 },
        (error, out, err) => {
          const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          resolve({ status, out, err });
        },
      );
    });
  }

  /** Starts a `weft` command that goes on. */
  spawn(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    return spawn(process.execPath, [entry, ...args], {
      cwd: root,
      env: { ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Applies rules of the example and waits until they are carried out. */
  async apply(...names: string[]): Promise<void> {
    const { status, out, err } = await this.weft(
      'apply',
      ...names.flatMap((name) => ['-f', name.includes('/') ? name : rule(name)]),
      '--wait',
    );
    assert.equal(status, 0, `${out}${err}`);
  }

  /** Processes of this mesh other than `weft up`: their command line or environment names the state folder. */
  processes(match = ''): { readonly pid: number; readonly command: string }[] {
    return runningProcesses().filter(({ pid, command }) => {
      if (pid === process.pid || pid === this.pid || !command.includes(match)) return false;
      return command.includes(this.state) || environmentOf(pid).includes(this.tag);
    });
  }

  /** Ends a process without giving it a chance. */
  kill(match: string): number {
    const [found] = this.processes(match).filter(({ command }) => !command.includes('guard.sh'));
    assert.ok(found, `a process with ${match} runs`);
    process.kill(found.pid, 'SIGKILL');
    return found.pid;
  }

  /** The logs of all parts, for the report of a failure. */
  logs(): string {
    const folder = join(this.state, 'logs');
    if (!existsSync(folder)) return '';
    return this.run.workloads
      .map(({ name, log }) => `--- ${name}\n${tail(log)}\n${tail(log.replace('.log', '.proxy.log'))}`)
      .join('\n');
  }

  /** User programs do not name the state folder in their arguments, but inherit this. */
  private get tag(): string {
    return `E2E_MESH=${this.state}`;
  }

  private get env(): NodeJS.ProcessEnv {
    return { ...process.env, WEFT_HOME: this.state, E2E_MESH: this.state, NODE_TEST_CONTEXT: undefined };
  }
}

function tail(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').slice(-1500) : '';
}
