// Carries one attack out and says what it cost whom.

import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ErrorCode } from '@weft/proxy/protocol/http2/error';
import { needProgram } from '../peers/program.ts';
import type { ClientScenario } from './scenario/scenario.ts';
import type { Stage, Stretch } from './stage.ts';

const run = promisify(execFile);

/** One line of the table. */
export interface Outcome {
  readonly name: string;
  readonly attackerMs: number;
  /** Without what the other clients cost. */
  readonly proxyMs: number;
  readonly growthMiB: number;
  readonly p99Ms: number;
  readonly neighbourP99Ms: number;
  readonly quietP99Ms: number;
  readonly failed: number;
  readonly connections: number;
  readonly ending: string;
  readonly isServed: boolean;
}

/** Compiles the attacker, which is in C so that it costs as little as it can. */
export function buildAttacker(folder: string): string {
  const program = join(folder, 'attacker');
  const source = fileURLToPath(new URL('./attacker/attacker.c', import.meta.url));
  execFileSync(needProgram('cc', 'gcc'), ['-O2', '-D_GNU_SOURCE', '-o', program, source], { stdio: 'inherit' });
  return program;
}

interface AttackerReport {
  readonly connections: number;
  readonly cpuUs: number;
  readonly goaway: number;
  readonly status: number;
  readonly open: number;
}

/** What all attacks are told. */
export interface AttackPlan {
  readonly seconds: number;
  /** Of the proxy without an attack. */
  readonly quiet: Stretch;
}

const rehearsalSeconds = 1;

// Twice: the first time pays for code that no request has warmed before. What memory it takes counts from there.
async function carryOut(
  stage: Stage,
  name: string,
  { seconds, quiet }: AttackPlan,
  attackFor: (seconds: number) => Promise<void>,
): Promise<Omit<Outcome, 'attackerMs' | 'connections' | 'ending' | 'isServed'>> {
  const rehearsal = await stage.stretch(() => attackFor(rehearsalSeconds));
  await stage.stretch(() => delay(500));
  const during = await stage.stretch(() => attackFor(seconds));
  const own = (quiet.proxyMs / quiet.seconds) * during.seconds;
  return {
    name,
    proxyMs: Math.max(0, during.proxyMs - own),
    growthMiB: (Math.max(rehearsal.peakKib, during.peakKib) - rehearsal.residentKib) / 1024,
    p99Ms: during.others.p99Ms,
    neighbourP99Ms: during.neighbours.p99Ms,
    quietP99Ms: quiet.others.p99Ms,
    failed: during.others.failed + during.neighbours.failed,
  };
}

/** A client attacks. */
export async function attackAsClient(
  stage: Stage,
  scenario: ClientScenario,
  plan: AttackPlan & { readonly program: string; readonly folder: string },
): Promise<Outcome> {
  const first = join(plan.folder, 'first.bin');
  const again = join(plan.folder, 'again.bin');
  writeFileSync(first, scenario.first);
  writeFileSync(again, scenario.again ?? '');
  let report: AttackerReport | null = null;
  const mode = scenario.manners ?? 'read';
  const attackFor = async (seconds: number) => {
    const numbers = [seconds, scenario.connections ?? 0, scenario.held ?? 0].map(String);
    const command = [plan.program, String(stage.port), first, again, ...numbers, mode];
    const { stdout } = await run('nice', ['-n', '10', 'taskset', '-c', '1', ...command]);
    report = JSON.parse(stdout) as AttackerReport;
    // What the last connection left to do.
    await delay(100);
  };
  const known = await carryOut(stage, scenario.name, plan, attackFor);
  const { cpuUs, connections, ...end } = report ?? { cpuUs: 0, connections: 0, goaway: -1, status: 0, open: 0 };
  return {
    ...known,
    attackerMs: cpuUs / 1000,
    connections,
    ending: endingOf(end),
    isServed: scenario.isServed === true,
  };
}

function endingOf({ goaway, status, open }: Pick<AttackerReport, 'goaway' | 'status' | 'open'>): string {
  const name = Object.entries(ErrorCode).find(([, code]) => code === goaway)?.[0];
  if (name !== undefined) return name;
  if (open > 0) return status > 0 ? `${status}, open` : 'open';
  return status > 0 ? String(status) : 'closed';
}

/** An endpoint attacks: somebody keeps asking it. */
export async function attackAsUpstream(stage: Stage, name: string, plan: AttackPlan): Promise<Outcome> {
  let attackerMs = 0;
  let statuses: Map<string, number> = new Map();
  const known = await carryOut(stage, name, plan, async (seconds) => {
    const before = stage.hostileMs();
    statuses = new Map();
    const until = performance.now() + seconds * 1000;
    while (performance.now() < until) {
      ask(stage.port, statuses);
      await delay(20);
    }
    attackerMs = stage.hostileMs() - before;
  });
  const ending = [...statuses].sort((a, b) => b[1] - a[1]).map(([status, count]) => `${status} ×${count}`);
  return { ...known, attackerMs, connections: 0, ending: ending.join(', ') || 'no answer', isServed: false };
}

function ask(port: number, statuses: Map<string, number>): void {
  const note = (what: string) => statuses.set(what, (statuses.get(what) ?? 0) + 1);
  const options = { host: '127.0.0.1', port, path: '/attacked', method: 'GET', agent: false as const };
  const request = get(options, (response) => {
    response.resume();
    response.on('end', () => note(String(response.statusCode)));
    response.on('error', () => note(`${response.statusCode} cut`));
  });
  request.setTimeout(1000, () => {
    note('gave up');
    request.destroy();
  });
  request.on('error', () => {});
}
