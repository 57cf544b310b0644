// A proxy with its endpoints, started for one kind of attack and warmed up.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { proxyNodeFlags } from '@weft/proxy/node-flags';
import { freePorts } from '../../test/kit/ports.ts';
import { Child } from '../peers/child.ts';
import { findProgram } from '../peers/program.ts';
import { bootstrapOf } from './bootstrap.ts';
import { Bystander, type Latency } from './bystander.ts';
import { cpuMsOf, forgetPeak, peakKibOf, residentKibOf } from './usage.ts';

/** Of either bystander, per second. */
const bystanderRate = 100;
/** Until V8 has compiled what requests run through: what it does later would count against an attack. */
const warmUpRate = 1000;
const warmUpMs = 3000;
const proxyCore = 0;
const otherCore = 1;

/** What a stretch of time cost. */
export interface Stretch {
  readonly seconds: number;
  readonly proxyMs: number;
  /** When it began, and the most since. */
  readonly residentKib: number;
  readonly peakKib: number;
  /** Of clients whose endpoint the attack does not reach, and of those that ask the same endpoint. */
  readonly others: Latency;
  readonly neighbours: Latency;
}

function here(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function commandOf(peer: string, file: string): string[] {
  if (peer === 'envoy') {
    const envoy = findProgram('envoy') ?? 'envoy';
    return [envoy, '-c', file, '--concurrency', '1', '--use-dynamic-base-id', '--log-level', 'off'];
  }
  return [process.execPath, ...proxyNodeFlags, here('../../cli/main.mjs'), 'proxy', '-c', file, '--log-level', 'error'];
}

export class Stage {
  readonly port: number;
  readonly hostile: Child | null;
  private readonly proxy: Child;
  private readonly children: readonly Child[];

  private constructor(port: number, proxy: Child, hostile: Child | null, others: readonly Child[]) {
    this.port = port;
    this.proxy = proxy;
    this.hostile = hostile;
    this.children = [proxy, ...(hostile === null ? [] : [hostile]), ...others];
  }

  /** `attack` names a hostile endpoint. */
  static async start(folder: string, peer: string, attack: string | null, isHttp2: boolean): Promise<Stage> {
    const [listen = 0, backend = 0, apart = 0, hostile = 0] = await freePorts(4);
    const file = join(folder, 'bootstrap.json');
    writeFileSync(file, bootstrapOf({ listen, backend, apart, hostile }, isHttp2));
    const node = (nice: number, name: string, ...args: string[]) => {
      const command = ['nice', '-n', String(nice), process.execPath, here(name), ...args];
      return new Child(otherCore, command, join(folder, `${name}.${args.at(-1)}.log`), {});
    };
    const friendly = node(0, 'backend.ts', String(backend));
    // They share a core: the attacker must not slow the others down by that.
    const attacking = attack === null ? null : node(10, 'hostile-upstream.ts', attack, String(hostile));
    const quiet = node(0, 'backend.ts', String(apart));
    await friendly.listening(backend, 5000);
    await quiet.listening(apart, 5000);
    await attacking?.listening(hostile, 5000);
    const proxy = new Child(proxyCore, commandOf(peer, file), join(folder, 'proxy.log'), {});
    const stage = new Stage(listen, proxy, attacking, [friendly, quiet]);
    await proxy.listening(listen, 20_000);
    await stage.stretch(() => delay(warmUpMs), warmUpRate);
    await stage.stretch(() => delay(500));
    return stage;
  }

  /** Measures what the proxy uses and how others fare while `act` goes on. */
  async stretch(act: () => Promise<void>, rate = bystanderRate): Promise<Stretch> {
    const { pid } = this.proxy;
    const others = new Bystander(this.port, '/apart', rate);
    const neighbours = new Bystander(this.port, '/', rate);
    forgetPeak(pid);
    const residentKib = residentKibOf(pid);
    const before = cpuMsOf(pid);
    const started = performance.now();
    others.start();
    neighbours.start();
    await act();
    const seconds = (performance.now() - started) / 1000;
    const proxyMs = cpuMsOf(pid) - before;
    return {
      seconds,
      proxyMs,
      residentKib,
      peakKib: peakKibOf(pid),
      others: others.stop(),
      neighbours: neighbours.stop(),
    };
  }

  /** CPU of the hostile endpoint so far. */
  hostileMs(): number {
    return this.hostile === null ? 0 : cpuMsOf(this.hostile.pid);
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map((child) => child.stop()));
  }
}
