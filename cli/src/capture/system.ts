// The machine on which capture rules are made: its programs, its rights, the network namespace that is meant.

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { messageOf } from '@weft/lib/error';
import { administratorFolders, findProgram } from '@weft/lib/program-path';

/** What a call of a program came to. */
export interface CallResult {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** A machine; tests have one of their own. */
export interface CaptureSystem {
  readonly isLinux: boolean;
  /** Whether this process may change the network: CAP_NET_ADMIN. */
  readonly mayChangeNetwork: boolean;
  has(program: string): boolean;
  run(program: string, args: readonly string[], input?: string): CallResult;
}

const callTimeoutMs = 60_000;
const CAP_NET_ADMIN = 12n;

/** This machine; `enter` is put before every call. */
export class ThisMachine implements CaptureSystem {
  readonly isLinux: boolean = process.platform === 'linux';
  private readonly enter: readonly string[];
  private readonly env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv, enter: readonly string[]) {
    const path = [env.PATH ?? '', ...administratorFolders].filter((folder) => folder !== '').join(':');
    this.env = { ...env, PATH: path, LC_ALL: 'C' };
    this.enter = enter;
  }

  get mayChangeNetwork(): boolean {
    try {
      const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
      return ((BigInt(`0x${match?.[1] ?? '0'}`) >> CAP_NET_ADMIN) & 1n) === 1n;
    } catch {
      return false;
    }
  }

  has(program: string): boolean {
    return findProgram(program, this.env.PATH) !== null;
  }

  run(program: string, args: readonly string[], input = ''): CallResult {
    const [first = program, ...rest] = [...this.enter, program, ...args];
    const done: SpawnSyncReturns<string> = spawnSync(first, rest, {
      input,
      env: this.env,
      encoding: 'utf8',
      timeout: callTimeoutMs,
    });
    const err = done.error === undefined ? done.stderr : messageOf(done.error);
    return { status: done.status ?? 1, out: done.stdout ?? '', err };
  }
}

/** The words before each call that make it in another network namespace: its name, or a path such as /proc/1234/ns/net. */
export function enterNamespace(netns: string | undefined): readonly string[] {
  if (netns === undefined) return [];
  return ['nsenter', `--net=${netns.includes('/') ? netns : `/run/netns/${netns}`}`, '--'];
}

/** Whether the namespace has an IPv6 address that others could reach. */
export function hasIpv6(system: CaptureSystem): boolean {
  if (!system.isLinux) return false;
  const { out } = system.run('cat', ['/proc/net/if_inet6']);
  // address, interface number, prefix length, scope (00 is global), flags, interface
  return out.split('\n').some((line) => {
    const [, , , scope, , device] = line.trim().split(/\s+/);
    return scope === '00' && device !== 'lo';
  });
}
