// Attacks of every kind by clients and endpoints: what they cost the proxy and the attacker, and what others notice of them.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { needProgram } from '../peers/program.ts';
import { attackAsClient, attackAsUpstream, buildAttacker, type Outcome } from './attack.ts';
import { hostileUpstreams } from './hostile-upstream.ts';
import { http1ClientScenarios } from './scenario/http1-client.ts';
import { http2ClientScenarios } from './scenario/http2-client.ts';
import { Stage } from './stage.ts';

const usage = `usage: npm run bench -- attack [options]

  --only TEXT      attacks whose name holds it
  --kind LIST      http1, http2, upstream (default all)
  --seconds N      of each attack (default 2)
  --peer NAME      weft or envoy (default weft)
  --json FILE      also write the result there
  --list           the attacks
`;

const kinds = ['http2', 'http1', 'upstream'] as const;
type Kind = (typeof kinds)[number];

interface Plan {
  readonly folder: string;
  readonly peer: string;
  readonly seconds: number;
  readonly program: string;
  readonly only: string;
}

const clientScenarios = { http1: http1ClientScenarios, http2: http2ClientScenarios };

function namesOf(kind: Kind, only: string): string[] {
  const names = kind === 'upstream' ? Object.keys(hostileUpstreams) : clientScenarios[kind].map(({ name }) => name);
  return names.filter((name) => name.includes(only));
}

async function onStage<T>(plan: Plan, attack: string | null, act: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = await Stage.start(plan.folder, plan.peer, attack, attack?.startsWith('h2 ') === true);
  try {
    return await act(stage);
  } finally {
    await stage.stop();
  }
}

async function measureClients(kind: 'http1' | 'http2', plan: Plan): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const scenario of clientScenarios[kind].filter(({ name }) => name.includes(plan.only))) {
    const found = await onStage(plan, null, async (stage) => {
      const quiet = await stage.stretch(() => delay(plan.seconds * 1000));
      return attackAsClient(stage, scenario, { ...plan, quiet });
    });
    show(kind, found);
    outcomes.push(found);
  }
  return outcomes;
}

async function measureUpstreams(plan: Plan): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const name of namesOf('upstream', plan.only)) {
    const found = await onStage(plan, name, async (stage) => {
      const quiet = await stage.stretch(() => delay(plan.seconds * 1000));
      return attackAsUpstream(stage, name, { ...plan, quiet });
    });
    show('upstream', found);
    outcomes.push(found);
  }
  return outcomes;
}

const columns =
  '| attack | connections | attacker, CPU ms | proxy, CPU ms | ratio | RSS +MiB | p99 of others, ms | of neighbours | without | end |';

function show(kind: Kind, one: Outcome): void {
  const ratio = one.attackerMs > 0 ? (one.proxyMs / one.attackerMs).toFixed(1) : '–';
  const cells = [
    `${kind} ${one.name}${one.isServed ? ' (served)' : ''}`,
    String(one.connections),
    one.attackerMs.toFixed(1),
    one.proxyMs.toFixed(1),
    ratio,
    one.growthMiB.toFixed(1),
    `${one.p99Ms.toFixed(1)}${one.failed > 0 ? ` (${one.failed} failed)` : ''}`,
    one.neighbourP99Ms.toFixed(1),
    one.quietP99Ms.toFixed(1),
    one.ending,
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

function parseKinds(text: string | undefined): Kind[] {
  if (text === undefined) return [...kinds];
  return text.split(',').map((word) => {
    const found = kinds.find((kind) => kind === word);
    if (found === undefined) throw new Error(`--kind takes ${kinds.join(', ')}, not '${word}'`);
    return found;
  });
}

async function main(): Promise<void> {
  const flags = {
    only: { type: 'string', default: '' },
    kind: { type: 'string' },
    seconds: { type: 'string', default: '2' },
    peer: { type: 'string', default: 'weft' },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  const { values } = parseArgs({ options: flags });
  const chosen = parseKinds(values.kind);
  if (values.help) console.log(usage);
  else if (values.list)
    for (const kind of chosen)
      console.log(
        namesOf(kind, values.only)
          .map((name) => `${kind} ${name}`)
          .join('\n'),
      );
  else await measure(chosen, values);
}

async function measure(
  chosen: readonly Kind[],
  values: { only: string; seconds: string; peer: string; json?: string | undefined },
): Promise<void> {
  if (platform() !== 'linux') throw new Error('this bench reads /proc: it runs on Linux only');
  needProgram('taskset', 'util-linux');
  const folder = mkdtempSync(join(tmpdir(), 'weft-attack-'));
  const { only, peer } = values;
  const plan = { folder, only, peer, seconds: Number(values.seconds), program: buildAttacker(folder) };
  const outcomes: Outcome[] = [];
  try {
    console.log(`${columns}\n|---|--:|--:|--:|--:|--:|--:|--:|--:|---|`);
    for (const kind of chosen) {
      outcomes.push(...(kind === 'upstream' ? await measureUpstreams(plan) : await measureClients(kind, plan)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(outcomes, null, 2));
}

await main();
