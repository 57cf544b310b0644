// One of the two proxies with its upstreams: takes cases, says what became of each.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fetchText, type ProxyProgram, until } from '../../feature/proxy-process.ts';
import { freePorts } from '../../kit/ports.ts';
import { bootstrap, listenerName, type UpstreamPorts } from './bootstrap.ts';
import type { Case, HttpVersion } from './case.ts';
import { Http1Recorder } from './http1-recorder.ts';
import { Http1Visit } from './http1-visit.ts';
import { Http2Recorder } from './http2-recorder.ts';
import { Http2Visit } from './http2-visit.ts';
import { logLine } from './outcome.ts';

const laneCount = 8;
const lookMs = 5;
const longestMs = 4000;
/** Nothing new in the log for so long: all is written. */
const logQuietMs = 400;

type Recorder = Http1Recorder | Http2Recorder;
type Lane = Readonly<Record<HttpVersion, Recorder>>;

/** The lines of each case. */
export type Outcomes = Map<string, string[]>;

export class Subject {
  private readonly child: ChildProcess;
  private readonly folder: string;
  private readonly lanes: readonly Lane[];
  private readonly ports: ReadonlyMap<string, number>;
  hasEnded = false;

  private constructor(child: ChildProcess, folder: string, lanes: readonly Lane[], ports: ReadonlyMap<string, number>) {
    this.child = child;
    this.folder = folder;
    this.lanes = lanes;
    this.ports = ports;
    child.once('exit', () => {
      this.hasEnded = true;
    });
  }

  /** $PROXY_LOG shows what the program says. */
  static async start(program: ProxyProgram): Promise<Subject> {
    const folder = mkdtempSync(join(tmpdir(), 'weft-differential-'));
    const lanes = Array.from(
      { length: laneCount },
      (): Lane => ({ http1: new Http1Recorder(), http2: new Http2Recorder() }),
    );
    const upstreams = await Promise.all(lanes.map(listen));
    const [adminPort = 0] = await freePorts(1);
    writeFileSync(join(folder, 'bootstrap.json'), JSON.stringify(bootstrap(adminPort, upstreams)));
    const [file = '', ...args] = program.command('bootstrap.json');
    if (args.includes('--use-dynamic-base-id')) args.push('--file-flush-interval-msec', '20');
    const log = process.env.PROXY_LOG === undefined ? 'ignore' : 'inherit';
    const child = spawn(file, args, { stdio: ['ignore', log, log], cwd: folder });
    const ports = await until(() => readPorts(adminPort), `${program.name} serves its listeners`);
    return new Subject(child, folder, lanes, ports);
  }

  /** Runs the cases, several at a time; one is over when nothing has come for `quietMs`, or its connection is closed. */
  async run(cases: readonly Case[], quietMs: number): Promise<Outcomes> {
    const outcomes: Outcomes = new Map();
    const names = new Map(cases.map(({ address, name }) => [address, name]));
    const logStart = this.readLog().length;
    const queue = [...cases];
    await Promise.all(
      this.lanes.map(async (_lane, number) => {
        for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
          outcomes.set(one.name, await this.runOne(one, number, quietMs));
        }
      }),
    );
    for (const line of (await this.settledLog(logStart)).split('\n')) {
      const [address = '', code = '', flags = '', ...details] = line.split(' ');
      const name = names.get(address);
      if (name !== undefined) outcomes.get(name)?.push(logLine(code, flags, details.join(' ')));
    }
    return outcomes;
  }

  private async runOne(one: Case, number: number, quietMs: number): Promise<string[]> {
    const recorder = (this.lanes[number] as Lane)[one.upstream];
    recorder.begin(one);
    const port = this.ports.get(listenerName(one.kind, one.upstream, number)) ?? 0;
    const visit = one.downstream === 'http1' ? new Http1Visit(port, one) : new Http2Visit(port, one);
    const startMs = performance.now();
    for (let nowMs = startMs; nowMs < startMs + longestMs; nowMs = performance.now()) {
      const quiet = nowMs - Math.max(visit.activeMs, recorder.activeMs, startMs);
      // What a closing proxy has sent upstream may still be on its way.
      if (quiet > (visit.isOver ? quietMs / 4 : quietMs)) break;
      await delay(lookMs);
    }
    const lines = visit.lines();
    visit.socket.destroy();
    return [...lines, ...(await recorder.end())].map((line) => line.replaceAll(one.address, 'CLIENT'));
  }

  private readLog(): string {
    try {
      return readFileSync(join(this.folder, 'access.log'), 'utf8');
    } catch {
      return '';
    }
  }

  private async settledLog(from: number): Promise<string> {
    let text = this.readLog();
    for (let quiet = 0; quiet < logQuietMs; quiet += logQuietMs / 4) {
      await delay(logQuietMs / 4);
      const now = this.readLog();
      if (now.length !== text.length) quiet = 0;
      text = now;
    }
    return text.slice(from);
  }

  async stop(): Promise<void> {
    for (const { http1, http2 } of this.lanes) {
      http1.close();
      http2.close();
    }
    if (!this.hasEnded) {
      const ended = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function listen({ http1, http2 }: Lane): Promise<UpstreamPorts> {
  return { http1: await http1.listen(), http2: await http2.listen() };
}

async function readPorts(adminPort: number): Promise<Map<string, number> | null> {
  const { status, body } = await fetchText(adminPort, '/listeners');
  if (status !== 200) return null;
  const lines = body.split('\n').filter((line) => line.includes('::'));
  if (lines.length < laneCount) return null;
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf('::')), Number(line.slice(line.lastIndexOf(':') + 1))]),
  );
}
