// One worker and two: what a request costs with as many connections, and with as many for each worker.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, platform, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePorts } from '../../test/kit/ports.ts';
import { buildBackend } from '../peers/backend.ts';
import { type CaseName, caseNames } from '../peers/bench-case.ts';
import { makeCertificates } from '../peers/certificate.ts';
import { Child } from '../peers/child.ts';
import { needLoadProgram } from '../peers/load.ts';
import { type Measurement, measureRunning, type Stage } from '../peers/measure.ts';
import { envoyWith } from '../peers/peer/envoy.ts';
import { weftWith } from '../peers/peer/weft.ts';
import { needProgram } from '../peers/program.ts';
import { median, percent, spread } from '../peers/report.ts';
import { RunningPeer } from '../peers/running-peer.ts';

const usage = `usage: npm run bench -- workers [options]

  --case NAME    ${caseNames.join(', ')} (default http1)
  --only LIST    weft, envoy (default: both)
  --rounds N     (default 7)
  --seconds N    of load in each measurement (default 3)
  --warmup N     seconds of load before the first round (default 8)
  --cores LIST   of the proxies (default 0); load and backend have core 1
  --rate N       requests per second for each worker, in place of as many as are answered
  --json FILE    also write every round there
`;

const loadCore = 1;
const peers = { weft: weftWith, envoy: envoyWith };
type PeerName = keyof typeof peers;

/** One line of the table: so many workers, asked over so many times the connections of the case. */
interface Row {
  readonly peer: PeerName;
  readonly workers: number;
  readonly connectionFactor: number;
  /** Requests per second; 0 for as many as are answered. */
  readonly rate: number;
  readonly rounds: Measurement[];
}

type Shape = Pick<Row, 'workers' | 'connectionFactor' | 'rate'>;

function shapesAt(rate: number): Shape[] {
  const [one, twice] = [
    { workers: 1, connectionFactor: 1, rate },
    { workers: 1, connectionFactor: 2, rate: 2 * rate },
  ];
  const shared = { ...twice, workers: 2 };
  // At a rate, as many connections for twice the requests would compare nothing.
  return rate > 0 ? [one, twice, shared] : [one, twice, { ...one, workers: 2 }, shared];
}

// Workers that have just started compile their code: all stay for the whole run, each warmed up by itself.
async function startAll(
  stage: Stage,
  names: readonly PeerName[],
  caseName: CaseName,
  running: Map<string, RunningPeer>,
) {
  for (const peer of names) {
    for (const workers of [1, 2]) {
      const started = await RunningPeer.start(stage, peers[peer](workers), caseName);
      running.set(`${peer} ${workers}`, started);
      await measureRunning(stage, started);
    }
  }
}

function report(caseName: CaseName, rows: readonly Row[]): string {
  const cost = (row: Row) => median(row.rounds.map(({ cpuUs }) => cpuUs));
  const lines = rows.map((row) => {
    const numbers = row.rounds.map(({ cpuUs }) => cpuUs);
    const single = rows.find(({ peer, workers }) => peer === row.peer && workers === 1) as Row;
    const cells = [
      row.peer,
      String(row.workers),
      `× ${row.connectionFactor}`,
      row.rate === 0 ? 'all' : String(row.rate),
      cost(row).toFixed(2),
      percent(spread(numbers)),
      (cost(row) / cost(single)).toFixed(3),
      median(row.rounds.map(({ p99Ms }) => p99Ms)).toFixed(2),
      String(row.rounds.reduce((sum, { failed }) => sum + failed, 0)),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const head = '| peer | workers | connections | requests/s | CPU µs/req | ± | to the first | p99 ms | failed |';
  return [`\n### ${caseName}\n`, head, '|---|--:|--:|--:|--:|--:|--:|--:|--:|', ...lines].join('\n');
}

async function runRounds(stage: Stage, rows: readonly Row[], running: Map<string, RunningPeer>, rounds: number) {
  for (let round = 1; round <= rounds; round++) {
    for (const row of rows) {
      const process = running.get(`${row.peer} ${row.workers}`) as RunningPeer;
      const { connectionFactor, rate } = row;
      const found = await measureRunning({ ...stage, connectionFactor, rate }, process);
      row.rounds.push(found);
      const name = `${row.peer}, ${row.workers} workers, connections × ${connectionFactor}, ${rate || 'all'}/s`;
      console.log(
        `round ${round} ${name}: ${found.cpuUs.toFixed(2)} µs, others ${Math.round(found.othersShare * 100)}%`,
      );
    }
  }
}

async function main(): Promise<void> {
  const flags = {
    case: { type: 'string', default: 'http1' },
    only: { type: 'string', default: 'weft,envoy' },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    warmup: { type: 'string', default: '8' },
    cores: { type: 'string', default: '0' },
    rate: { type: 'string', default: '0' },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  const { values } = parseArgs({ options: flags });
  if (values.help) {
    console.log(usage);
    return;
  }
  const caseName = caseNames.find((name) => name === values.case);
  if (caseName === undefined) throw new Error(`--case takes ${caseNames.join(', ')}, not '${values.case}'`);
  const names = values.only.split(',').map((word) => {
    if (word !== 'weft' && word !== 'envoy') throw new Error(`--only takes weft, envoy, not '${word}'`);
    return word;
  });
  if (platform() !== 'linux' || cpus().length < 2) throw new Error('this bench needs Linux and two cores');
  needProgram('taskset', 'util-linux');
  const rate = Number(values.rate);
  if (!Number.isInteger(rate) || rate < 0) throw new Error(`--rate takes requests per second, not '${values.rate}'`);
  needLoadProgram(caseName, rate);
  const folder = mkdtempSync(join(tmpdir(), 'weft-workers-'));
  const [backendPort = 0] = await freePorts(1);
  const backend = new Child(loadCore, [buildBackend(folder), String(backendPort)], join(folder, 'backend.log'), {});
  const running = new Map<string, RunningPeer>();
  try {
    await backend.listening(backendPort, 5000);
    const own = { folder, certificates: makeCertificates(folder), backendPort, backendPid: backend.pid };
    const load = { rate: 0, paths: 1, close: false, waitIdleSeconds: 0, warmupSeconds: 0, connectionFactor: 1 };
    const proxyCores = values.cores.split(',').map(Number);
    const stage: Stage = { ...own, ...load, loadCore, proxyCores, seconds: Number(values.seconds) };
    await startAll({ ...stage, seconds: Number(values.warmup) }, names, caseName, running);
    const rows: Row[] = names.flatMap((peer) => shapesAt(rate).map((shape) => ({ peer, ...shape, rounds: [] })));
    await runRounds(stage, rows, running, Number(values.rounds));
    console.log(report(caseName, rows));
    const { json, ...asked } = values;
    const conditions = { ...asked, cpu: cpus()[0]?.model, kernel: release() };
    if (json !== undefined) writeFileSync(json, JSON.stringify({ conditions, rows }, null, 2));
  } finally {
    await Promise.all([...running.values(), backend].map((one) => one.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
