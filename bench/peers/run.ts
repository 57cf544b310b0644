// Proxies side by side on one machine: CPU per request, latency, memory of weft, Envoy, HAProxy and nginx.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, platform, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePorts } from '../../test/kit/ports.ts';
import { buildBackend } from './backend.ts';
import { type CaseName, caseNames, speaksHttp2 } from './bench-case.ts';
import { makeCertificates } from './certificate.ts';
import { Child } from './child.ts';
import { needLoadProgram } from './load.ts';
import { measureDirect, measurePeer, type Stage } from './measure.ts';
import { envoy } from './peer/envoy.ts';
import { haproxy } from './peer/haproxy.ts';
import { nginx } from './peer/nginx.ts';
import type { Peer } from './peer/peer.ts';
import { weft } from './peer/weft.ts';
import { needProgram } from './program.ts';
import { formatTable, type Row, toJson } from './report.ts';

const peers: readonly Peer[] = [nginx, haproxy, envoy, weft];

const usage = `usage: npm run bench -- peers [options]

  --case LIST      ${caseNames.join(', ')} or all (default http1)
  --only LIST      direct, ${peers.map(({ name }) => name).join(', ')} (default: all that are found)
  --rounds N       each peer is measured so often, in turn (default 3)
  --seconds N      of load in each measurement (default 8)
  --warmup N       seconds of load before it (default 2)
  --rate N         requests per second (default: as many as are answered); then h2load drives every case
  --share PERCENT  the rate is that share of what Envoy answers at most, found out first for each case
  --paths N        so many paths are asked for in turn (default 1)
  --close          each request on a connection of its own; not with --rate or --share, not http2, grpc or tcp
  --wait-idle N    seconds to wait, at most, for a quiet machine before each measurement (default 0)
  --proxy-core N   core of the proxy (default 0)
  --load-core N    core of load and backend (default 1)
  --json FILE      also write every round there
  --keep           leave configurations and logs where they are, and say where
`;

const flags = {
  case: { type: 'string', default: 'http1' },
  only: { type: 'string' },
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '8' },
  warmup: { type: 'string', default: '2' },
  rate: { type: 'string', default: '0' },
  share: { type: 'string', default: '0' },
  paths: { type: 'string', default: '1' },
  close: { type: 'boolean', default: false },
  'wait-idle': { type: 'string', default: '0' },
  'proxy-core': { type: 'string', default: '0' },
  'load-core': { type: 'string', default: '1' },
  json: { type: 'string' },
  keep: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

interface Plan {
  readonly cases: readonly CaseName[];
  readonly peers: readonly Peer[];
  readonly direct: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly rate: number;
  /** Per cent of Envoy's maximum; 0 means that `rate` holds. */
  readonly share: number;
  readonly paths: number;
  readonly close: boolean;
  readonly waitIdleSeconds: number;
  readonly proxyCore: number;
  readonly loadCore: number;
  readonly json: string | null;
  readonly keep: boolean;
}

function numberOf(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`--${flag} takes a whole number from ${least}, not '${text}'`);
  return value;
}

function listOf<T extends string>(flag: string, text: string, known: readonly T[]): T[] {
  return text.split(',').map((word) => {
    const found = known.find((name) => name === word);
    if (found === undefined) throw new Error(`--${flag} takes ${known.join(', ')}, not '${word}'`);
    return found;
  });
}

function parsePlan(): Plan | null {
  const { values } = parseArgs({ options: flags });
  if (values.help) return null;
  const peerNames = ['direct', ...peers.map(({ name }) => name)];
  if (values.close && (values.rate !== '0' || values.share !== '0'))
    throw new Error('--close goes without --rate and --share');
  const only = values.only === undefined ? peerNames : listOf('only', values.only, peerNames);
  const cases = values.case === 'all' ? caseNames : listOf('case', values.case, caseNames);
  if (values.close && cases.some((name) => speaksHttp2(name) || name === 'tcp'))
    throw new Error('--close is for http1, tls and mtls');
  return {
    cases,
    peers: peers.filter(({ name }) => only.includes(name)),
    direct: only.includes('direct'),
    rounds: numberOf('rounds', values.rounds, 1),
    seconds: numberOf('seconds', values.seconds, 1),
    warmupSeconds: numberOf('warmup', values.warmup, 0),
    rate: numberOf('rate', values.rate, 0),
    share: numberOf('share', values.share, 0),
    paths: numberOf('paths', values.paths, 1),
    close: values.close,
    waitIdleSeconds: numberOf('wait-idle', values['wait-idle'], 0),
    proxyCore: numberOf('proxy-core', values['proxy-core'], 0),
    loadCore: numberOf('load-core', values['load-core'], 0),
    json: values.json ?? null,
    keep: values.keep,
  };
}

// Peers that cannot take part are named once and left out.
function presentPeers(plan: Plan): Peer[] {
  return plan.peers.filter((peer) => {
    const reason = peer.missing();
    if (reason !== null) console.log(`skipped ${peer.name}: ${reason}`);
    return reason === null;
  });
}

async function measureAll(plan: Plan, stage: Stage, rows: Row[], present: readonly Peer[]): Promise<void> {
  for (const caseName of plan.cases) {
    const names = [...(plan.direct ? ['direct'] : []), ...present.map(({ name }) => name)];
    const mine = names.map((peer): Row => ({ caseName, peer, rounds: [], failure: null }));
    rows.push(...mine);
    const rate = plan.share === 0 ? plan.rate : await shareOfEnvoy(plan.share, caseName, stage);
    for (let round = 1; round <= plan.rounds; round++) {
      for (const row of mine) await measureRow(row, round, { ...stage, rate }, present);
    }
    console.log(formatTable(rows, caseName));
  }
}

async function shareOfEnvoy(percent: number, caseName: CaseName, stage: Stage): Promise<number> {
  const { perSecond } = await measurePeer({ ...stage, rate: 0 }, envoy, caseName);
  const rate = Math.round((perSecond * percent) / 100);
  console.log(
    `${caseName}: Envoy answers ${perSecond.toFixed(0)} requests per second; ${percent} % of that are ${rate}`,
  );
  return rate;
}

async function measureRow(row: Row, round: number, stage: Stage, present: readonly Peer[]): Promise<void> {
  if (row.failure !== null) return;
  const peer = present.find(({ name }) => name === row.peer);
  try {
    const result =
      peer === undefined ? await measureDirect(stage, row.caseName) : await measurePeer(stage, peer, row.caseName);
    row.rounds.push(result);
    const words = `${result.cpuUs.toFixed(1)} µs, p99 ${result.p99Ms.toFixed(2)} ms, ${result.peakMiB.toFixed(0)} MiB`;
    console.log(
      `${row.caseName} round ${round} ${row.peer}: ${words}${result.failed > 0 ? `, ${result.failed} FAILED` : ''}`,
    );
  } catch (error) {
    row.failure = error instanceof Error ? error.message : String(error);
    console.log(`${row.caseName} round ${round} ${row.peer}: failed: ${row.failure}`);
  }
}

async function runPlan(plan: Plan, folder: string): Promise<void> {
  needProgram('taskset', 'util-linux');
  for (const name of plan.cases) needLoadProgram(name, plan.rate + plan.share);
  const [backendPort = 0] = await freePorts(1);
  const command = [buildBackend(folder), String(backendPort)];
  const backend = new Child(plan.loadCore, command, join(folder, 'backend.log'), {});
  const rows: Row[] = [];
  try {
    await backend.listening(backendPort, 5000);
    const certificates = makeCertificates(folder);
    const own = { folder, certificates, backendPort, backendPid: backend.pid };
    const stage = { ...plan, ...own, proxyCores: [plan.proxyCore], connectionFactor: 1 };
    await measureAll(plan, stage, rows, presentPeers(plan));
  } finally {
    await backend.stop();
  }
  const conditions = {
    seconds: plan.seconds,
    warmup: plan.warmupSeconds,
    rate: plan.rate,
    share: plan.share,
    paths: plan.paths,
    close: plan.close,
    cpu: cpus()[0]?.model,
    kernel: release(),
  };
  if (plan.json !== null) writeFileSync(plan.json, toJson(rows, conditions));
  if (rows.some(({ failure }) => failure !== null)) process.exitCode = 1;
}

async function main(): Promise<void> {
  const plan = parsePlan();
  if (plan === null) {
    console.log(usage);
    return;
  }
  if (platform() !== 'linux')
    throw new Error('this bench reads /proc and pins programs to cores: it runs on Linux only');
  if (cpus().length <= Math.max(plan.proxyCore, plan.loadCore)) throw new Error('this bench needs two cores');
  const folder = mkdtempSync(join(tmpdir(), 'weft-peers-'));
  try {
    await runPlan(plan, folder);
  } finally {
    if (plan.keep) console.log(`\nconfigurations and logs: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
