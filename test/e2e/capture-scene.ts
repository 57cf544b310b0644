// A workload with its proxy in one network namespace, the world outside in another, and `weft capture` between them.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ProxyProgram, programs } from '../feature/proxy-process.ts';
import { temporaryFolder } from '../kit/folder.ts';
import { until, within } from '../kit/until.ts';
import { adminPort } from './capture-bootstrap.ts';
import type { PeerAnswer } from './capture-peer.ts';
import { canRun, connectNamespaces, NetworkNamespace, type RunAs, whyNoNamespaces } from './network-namespace.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const peer = here('./capture-peer.ts');
const proxyEntry = here('../../proxy/main.mjs');
const weft = here('../../cli/src/main.ts');

const app: RunAs = { uid: 4711 };
const proxyUid = 1337;

// Documentation addresses: nothing on any machine has them.
export const workload = { v4: '192.0.2.1', v6: '2001:db8:77::1' };
export const outside = { v4: '192.0.2.2', v6: '2001:db8:77::2', excluded: '192.0.2.3' };
export const service = '198.51.100.7';

/** Why none of this can be done here, or null. */
export const whyNot: string | null = whyNoNamespaces(proxyEntry);

export interface Setting {
  readonly backend: 'nft' | 'iptables';
  readonly mode: 'redirect' | 'tproxy';
  readonly program: ProxyProgram;
  /** Threads that carry traffic, 1 unless told. */
  readonly workers?: number;
}

type ProxySetting = Pick<Setting, 'mode' | 'program' | 'workers'>;

const [ours, theirs] = programs;
assert.ok(ours !== undefined && theirs !== undefined);
export const weftProxy: ProxyProgram = ours;
export const envoy: ProxyProgram = theirs;

interface StatsPage {
  readonly stats: readonly { readonly name: string; readonly value: number }[];
}

/** A workload with its proxy, and the world outside. */
export class Scene {
  private readonly inside: NetworkNamespace;
  private readonly world: NetworkNamespace;
  private readonly logPath: string;

  private constructor(inside: NetworkNamespace, world: NetworkNamespace, logPath: string) {
    this.inside = inside;
    this.world = world;
    this.logPath = logPath;
  }

  /** `bootstrap` makes the proxy's configuration; it may write to the log whose path it is given. */
  static async make(
    context: TestContext,
    setting: ProxySetting,
    bootstrap: (logPath: string, scene: Scene) => object | Promise<object>,
  ): Promise<Scene> {
    const inside = await NetworkNamespace.make(context);
    const world = await NetworkNamespace.make(context);
    connectNamespaces(inside, world, {
      one: [`${workload.v4}/24`, `${workload.v6}/64`],
      other: [`${outside.v4}/24`, `${outside.excluded}/24`, `${outside.v6}/64`],
    });
    inside.run('ip', 'route', 'add', 'default', 'via', outside.v4);
    const folder = temporaryFolder(context);
    execFileSync('chmod', ['0777', folder]);
    const scene = new Scene(inside, world, join(folder, 'access.log'));
    await Promise.all([
      scene.serve(context, world, ['outside', '8080', '8081', '8082']),
      scene.serve(context, inside, ['app', '9090', '9091']),
    ]);
    const config = await bootstrap(scene.logPath, scene);
    await scene.startProxy(context, setting, config);
    return scene;
  }

  private async serve(context: TestContext, namespace: NetworkNamespace, args: readonly string[]): Promise<void> {
    await this.startServer(context, namespace, [peer, 'serve', ...args]);
  }

  /** A program of the world outside that prints a line when it is ready; that line. */
  startOutside(context: TestContext, args: readonly string[]): Promise<string> {
    return this.startServer(context, this.world, args);
  }

  private async startServer(
    context: TestContext,
    namespace: NetworkNamespace,
    args: readonly string[],
  ): Promise<string> {
    const child = namespace.start(app, [process.execPath, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    context.after(() => child.kill('SIGKILL'));
    const { stdout } = child;
    assert.ok(stdout !== null);
    return String(await within('the server', new Promise((resolve) => stdout.once('data', resolve)), 20_000)).trim();
  }

  private async startProxy(
    context: TestContext,
    { mode, program, workers = 1 }: ProxySetting,
    config: object,
  ): Promise<void> {
    const configPath = join(this.logPath, '../bootstrap.json');
    writeFileSync(configPath, JSON.stringify(config));
    // With redirection the proxy needs no right at all.
    const as: RunAs = { uid: proxyUid, ...(mode === 'tproxy' ? { capabilities: '+net_admin' } : {}) };
    // Envoy keeps lines of its access log back for ten seconds.
    const flush = program === envoy ? ['--file-flush-interval-msec', '10'] : [];
    const threads = workers === 1 ? [] : ['--concurrency', String(workers)];
    const child = this.inside.start(as, [...program.command(configPath), ...flush, ...threads], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    context.after(() => child.kill('SIGKILL'));
    const log: string[] = [];
    if (child.stderr !== null) createInterface(child.stderr).on('line', (line) => log.push(line));
    const ready = this.inside.start(app, [process.execPath, peer, 'await', `http://127.0.0.1:${adminPort}/ready`], {
      stdio: 'ignore',
    });
    const over = Promise.race([once(ready, 'exit'), once(child, 'exit')]);
    context.after(() => ready.kill('SIGKILL'));
    const [status] = await within('the proxy to be ready', over, 30_000);
    assert.equal(status, 0, `the proxy did not start: ${log.join('\n')}`);
    assert.equal(child.exitCode, null, `the proxy ended: ${log.join('\n')}`);
  }

  /** `weft capture`, in the workload's namespace only. */
  capture(...args: string[]): { status: number | null; out: string; err: string } {
    const done = spawnSync(process.execPath, [weft, 'capture', ...args, '--netns', this.inside.path], {
      encoding: 'utf8',
    });
    return { status: done.status, out: done.stdout, err: done.stderr };
  }

  install({ backend, mode }: Pick<Setting, 'backend' | 'mode'>): void {
    const { status, err } = this.capture(
      ...['install', '--backend', backend, '--mode', mode, '--proxy-uid', String(proxyUid)],
      ...['--exclude-cidr', `${outside.excluded}/32`, '--exclude-outbound-ports', '8082'],
      ...['--exclude-inbound-ports', '22,9091'],
    );
    assert.equal(status, 0, err);
  }

  /** Everything that a rule could be. */
  rules(): string {
    const { inside } = this;
    const nft = canRun('sh', '-c', 'command -v nft') ? inside.run('nft', 'list', 'ruleset') : '';
    const filtered = canRun('sh', '-c', 'command -v iptables-save')
      ? inside.run('iptables-save') + inside.run('ip6tables-save')
      : '';
    // Empty tables stay behind an iptables that stands on nft, and counters and dates change.
    const lines = `${nft}${filtered}`.split('\n').filter((line) => /weft|redirect|tproxy|jump/i.test(line));
    const routing = [
      ['-4', 'rule'],
      ['-6', 'rule'],
      ['-6', 'addr', 'show', 'dev', 'lo'],
      ['route', 'show', 'table', 'all'],
    ];
    const routes = routing.map((args) => inside.run('ip', ...args)).join('');
    // Link-local addresses come when the cable is found to be connected.
    return `${lines.join('\n')}\n${routes.replaceAll(/^.*\b(?:fe80|ff00):.*\n/gm, '')}`;
  }

  get(from: 'inside' | 'outside', ...urls: string[]): PeerAnswer[] {
    const namespace = from === 'inside' ? this.inside : this.world;
    const out = namespace.runAs(app, process.execPath, peer, 'get', ...urls);
    return out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as PeerAnswer);
  }

  /** Waits until the access log has a line of that listener about that destination. */
  async logged(listener: string, destination: string): Promise<void> {
    // Lines of several workers, and of connections that end at the same time, stand in any order.
    const isThere = (): boolean =>
      readFileSync(this.logPath, 'utf8')
        .split('\n')
        .some((line) => line.startsWith(`${listener} `) && line.includes(` ${destination} `));
    await until(`the access log tells of ${destination} at the listener ${listener}`, isThere);
  }

  /** Statistics of the proxy by name. */
  stats(): ReadonlyMap<string, number> {
    const [page] = this.get('inside', `http://127.0.0.1:${adminPort}/stats?format=json`) as (PeerAnswer & StatsPage)[];
    return new Map(page?.stats.map(({ name, value }) => [name, value]));
  }

  log(): string {
    return readFileSync(this.logPath, 'utf8');
  }
}
