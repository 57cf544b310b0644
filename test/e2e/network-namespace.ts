// Network namespaces that live as long as a process of the test: when the test ends, however it ends, the kernel removes them with
// every address and rule in them. Nothing here is done in the namespace of the machine itself.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { messageOf } from '@weft/lib/error';
import { until } from '../kit/until.ts';

/** Why namespaces cannot be made here, or null. Processes of another user are needed too, hence root. */
export function whyNoNamespaces(readableFile: string): string | null {
  if (process.platform !== 'linux') return 'network namespaces are Linux only';
  if (process.getuid?.() !== 0) return 'making network namespaces and changing users needs root';
  for (const program of ['unshare', 'nsenter', 'setpriv', 'ip']) {
    if (!canRun('sh', '-c', `command -v ${program}`)) return `the program ${program} is not installed`;
  }
  if (!canRun('unshare', '--net', 'true')) return 'network namespaces are not allowed here';
  if (!canRun('unshare', '--net', 'ip', 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'other')) {
    return 'network namespaces cannot be connected here (no veth)';
  }
  if (!canRun('unshare', '--net', 'ip', 'addr', 'add', '2001:db8::1/128', 'dev', 'lo')) return 'there is no IPv6 here';
  if (!canRun('setpriv', '--reuid=1337', '--regid=1337', '--clear-groups', 'test', '-r', readableFile)) {
    return `another user cannot read ${readableFile}`;
  }
  return null;
}

/** Why rules cannot be made in a namespace by that program, or null. */
export function whyNoRules(program: 'nft' | 'iptables'): string | null {
  if (!canRun('sh', '-c', `command -v ${program}`)) return `${program} is not installed`;
  const probe = program === 'nft' ? ['nft', 'add', 'table', 'inet', 'probe'] : ['iptables', '-t', 'nat', '-S'];
  return canRun('unshare', '--net', ...probe) ? null : `${program} does not work in a network namespace here`;
}

/** Whether the call succeeds. */
export function canRun(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Who a program in a namespace runs as; root when absent. */
export interface RunAs {
  readonly uid: number;
  /** Capabilities that it keeps, such as `+net_admin`. */
  readonly capabilities?: string;
}

export class NetworkNamespace {
  /** As `nsenter` and `weft capture --netns` take it. */
  readonly path: string;
  private readonly holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.holder = holder;
    this.path = `/proc/${holder.pid}/ns/net`;
  }

  static async make(context: Pick<TestContext, 'after'>): Promise<NetworkNamespace> {
    // It ends when its input does: with this process at the latest.
    const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] });
    await once(holder, 'spawn');
    const made = new NetworkNamespace(holder);
    context.after(() => made.end());
    await until('the namespace is there', () => readlinkSync(made.path) !== readlinkSync('/proc/self/ns/net'));
    made.run('ip', 'link', 'set', 'lo', 'up');
    return made;
  }

  get pid(): number {
    return this.holder.pid ?? assert.fail('the namespace is gone');
  }

  private end(): void {
    this.holder.stdin?.end();
    this.holder.kill('SIGKILL');
  }

  private command(as: RunAs | null, command: readonly string[]): string[] {
    assert.notEqual(
      readlinkSync(this.path),
      readlinkSync('/proc/self/ns/net'),
      'never in the namespace of the machine',
    );
    const enter = [`--net=${this.path}`, '--'];
    if (as === null) return [...enter, ...command];
    const { uid, capabilities } = as;
    const keep = capabilities === undefined ? [] : [`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`];
    return [...enter, 'setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...keep, ...command];
  }

  /** Runs a program to its end; its output. */
  run(...command: string[]): string {
    return this.runAs(null, ...command);
  }

  runAs(as: RunAs | null, ...command: string[]): string {
    try {
      return execFileSync('nsenter', this.command(as, command), { encoding: 'utf8', stdio: 'pipe', timeout: 30_000 });
    } catch (error) {
      throw new Error(`${command.join(' ')} failed in the namespace: ${messageOf(error)}`);
    }
  }

  start(as: RunAs | null, command: readonly string[], options: SpawnOptions): ChildProcess {
    return spawn('nsenter', this.command(as, command), options);
  }
}

/** Ties two namespaces together by a cable with these addresses on its ends. */
export function connectNamespaces(
  one: NetworkNamespace,
  other: NetworkNamespace,
  addresses: { readonly one: readonly string[]; readonly other: readonly string[] },
): void {
  const peer = ['peer', 'name', 'eth0', 'netns', String(other.pid)];
  one.run('ip', 'link', 'add', 'eth0', 'type', 'veth', ...peer);
  for (const [end, list] of [
    [one, addresses.one],
    [other, addresses.other],
  ] as const) {
    // Duplicate address detection would keep IPv6 addresses from use for a second.
    for (const address of list)
      end.run('ip', 'addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []));
    end.run('ip', 'link', 'set', 'eth0', 'up');
  }
}
