// One large body up and down through Weft and Envoy: throughput, CPU per MiB, peak memory.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePorts } from '../../test/kit/ports.ts';
import { Child } from '../peers/child.ts';
import { envoy } from '../peers/peer/envoy.ts';
import type { Peer } from '../peers/peer/peer.ts';
import { weft } from '../peers/peer/weft.ts';
import { cpuTimeOf, peakMemoryOf } from '../peers/process-tree.ts';
import { needProgram } from '../peers/program.ts';

const proxyCore = 0;
const loadCore = 1;
const mib = 1024 * 1024;
const versions = ['http1', 'http2'] as const;
const directions = ['down', 'up'] as const;

type Version = (typeof versions)[number];
type Direction = (typeof directions)[number];

const flags = {
  mib: { type: 'string', default: '1024' },
  rounds: { type: 'string', default: '3' },
  only: { type: 'string', default: 'direct,envoy,weft' },
  case: { type: 'string', default: versions.join(',') },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const usage = `usage: npm run bench -- large-body [options]

  --mib N        size of the body (default 1024)
  --rounds N     each proxy in turn, so often (default 3)
  --only LIST    direct, envoy, weft
  --case LIST    http1, http2
`;

interface Result {
  readonly mibPerSecond: number;
  readonly cpuMsPerMib: number;
  readonly peakMib: number;
  /** Share of its core that the proxy used. */
  readonly core: number;
}

function file(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function transfer(port: number, version: Version, direction: Direction, sizeMib: number): number {
  const words = [file('./client.ts'), String(port), version, direction, String(sizeMib * mib)];
  const out = execFileSync('taskset', ['-c', String(loadCore), process.execPath, ...words], { encoding: 'utf8' });
  return Number(out.trim());
}

/** A proxy that has just been started, so that its peak is this transfer's. */
async function measure(peer: Peer, version: Version, direction: Direction, plan: Plan): Promise<Result> {
  const folder = join(plan.folder, peer.name);
  mkdirSync(folder, { recursive: true });
  const [listenPort = 0] = await freePorts(1);
  const none = { authority: '', certificate: '', key: '' };
  const upstreamPort = plan.backendPorts[version];
  const task = { name: version, role: 'single', listenPort, upstreamPort, folder, ...none } as const;
  const child = new Child(proxyCore, peer.prepare(task), join(folder, 'output.log'), peer.environment);
  try {
    await child.listening(listenPort, 20_000);
    transfer(listenPort, version, direction, Math.min(64, plan.mib));
    const before = cpuTimeOf([child.pid]);
    const seconds = transfer(listenPort, version, direction, plan.mib);
    const after = cpuTimeOf([child.pid]);
    const cpu = after.user + after.system - before.user - before.system;
    return {
      mibPerSecond: plan.mib / seconds,
      cpuMsPerMib: (cpu * 1000) / plan.mib,
      peakMib: peakMemoryOf([child.pid]),
      core: cpu / seconds,
    };
  } finally {
    await child.stop();
  }
}

interface Plan {
  readonly mib: number;
  readonly folder: string;
  readonly backendPorts: Readonly<Record<Version, number>>;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function row(name: string, results: readonly Result[]): string {
  const of = (key: keyof Result) => median(results.map((result) => result[key]));
  const numbers = [of('mibPerSecond').toFixed(0), of('cpuMsPerMib').toFixed(2), of('peakMib').toFixed(0)];
  return [
    name.padEnd(24),
    ...numbers.map((text) => text.padStart(10)),
    `${(of('core') * 100).toFixed(0)} %`.padStart(8),
  ].join('');
}

async function runAll(plan: Plan, rounds: number, only: readonly string[], cases: readonly string[]): Promise<void> {
  const peers = [envoy, weft].filter((peer) => {
    const reason = only.includes(peer.name) ? peer.missing() : 'not asked for';
    if (reason !== null) console.log(`skipped ${peer.name}: ${reason}`);
    return reason === null;
  });
  console.log(
    ['case'.padEnd(24), 'MiB/s'.padStart(10), 'ms/MiB'.padStart(10), 'peak MiB'.padStart(10), 'core'.padStart(8)].join(
      '',
    ),
  );
  for (const version of versions.filter((name) => cases.includes(name))) {
    for (const direction of directions) {
      const results = new Map<string, Result[]>();
      for (let round = 0; round < rounds; round++) {
        if (only.includes('direct')) {
          const mibPerSecond = plan.mib / transfer(plan.backendPorts[version], version, direction, plan.mib);
          note(results, 'direct', { mibPerSecond, cpuMsPerMib: Number.NaN, peakMib: Number.NaN, core: Number.NaN });
        }
        for (const peer of peers) note(results, peer.name, await measure(peer, version, direction, plan));
      }
      for (const [name, list] of results) console.log(row(`${version} ${direction} ${name}`, list));
    }
  }
}

function note(results: Map<string, Result[]>, name: string, result: Result): void {
  results.set(name, [...(results.get(name) ?? []), result]);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: flags });
  if (values.help) {
    console.log(usage);
    return;
  }
  needProgram('taskset', 'util-linux');
  const folder = mkdtempSync(join(tmpdir(), 'weft-large-body-'));
  const [http1 = 0, http2 = 0] = await freePorts(2);
  const backendPorts = { http1, http2 };
  const backends = versions.map((version) => {
    const command = [process.execPath, file('./backend.ts'), String(backendPorts[version]), version];
    return new Child(loadCore, command, join(folder, `${version}.log`), {});
  });
  try {
    await Promise.all(versions.map((version, at) => backends[at]?.listening(backendPorts[version], 5000)));
    const plan = { mib: Number(values.mib), folder, backendPorts };
    await runAll(plan, Number(values.rounds), values.only.split(','), values.case.split(','));
  } finally {
    for (const backend of backends) await backend.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
