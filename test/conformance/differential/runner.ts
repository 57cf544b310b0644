// Sends the corpus through both proxies and says where they differ.

import { spawnSync } from 'node:child_process';
import { type ProxyProgram, programs } from '../../feature/proxy-process.ts';
import type { Case } from './case.ts';
import { type Difference, findDifferences, fingerprint } from './differences.ts';
import { type Outcomes, Subject } from './subject.ts';

/** How long nothing must come until a case is over, and how long for those that need a second look. */
const quietMs = 150;
const secondQuietMs = 800;
const looks = 3;

const [weft, envoy] = programs as readonly [ProxyProgram, ProxyProgram];

/** Why there can be no run; false when there can. */
export const skip: string | false = envoy.skip;

/** `1.40.0`, or empty when the program does not say. */
export function envoyVersion(): string {
  const [file = ''] = envoy.command('');
  const { stdout } = spawnSync(file, ['--version'], { encoding: 'utf8' });
  return /\/(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? '';
}

/** Both proxies, running. */
class Pair {
  private readonly subjects: readonly Subject[];

  private constructor(subjects: readonly Subject[]) {
    this.subjects = subjects;
  }

  static async start(): Promise<Pair> {
    return new Pair(await Promise.all([Subject.start(envoy), Subject.start(weft)]));
  }

  async run(cases: readonly Case[], quiet: number): Promise<readonly [Outcomes, Outcomes]> {
    const [one, other] = await Promise.all(this.subjects.map((subject) => subject.run(cases, quiet)));
    if (this.subjects.some(({ hasEnded }) => hasEnded)) throw new Error('a proxy ended during the run');
    return [one ?? new Map(), other ?? new Map()];
  }

  async stop(): Promise<void> {
    await Promise.all(this.subjects.map((subject) => subject.stop()));
  }
}

/** The differences. Cases whose outcome is not as `expected` are looked at again, with more patience, before they count. */
export async function compare(cases: readonly Case[], expected: readonly Difference[]): Promise<Difference[]> {
  const known = new Set(expected.map(fingerprint));
  const names = cases.map(({ name }) => name);
  const wanted = new Set(expected.map(({ name }) => name));
  const pair = await Pair.start();
  try {
    let found = findDifferences(names, ...(await pair.run(cases, quietMs)));
    for (let look = 1; look < looks; look++) {
      const again = cases.filter(({ name }) => isUnexpected(name, found, known, wanted));
      if (again.length === 0) break;
      const second = findDifferences(
        again.map(({ name }) => name),
        ...(await pair.run(again, secondQuietMs)),
      );
      const looked = new Set(again.map(({ name }) => name));
      found = [...found.filter(({ name }) => !looked.has(name)), ...second];
    }
    return found.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  } finally {
    await pair.stop();
  }
}

function isUnexpected(
  name: string,
  found: readonly Difference[],
  known: ReadonlySet<string>,
  wanted: ReadonlySet<string>,
): boolean {
  const seen = found.find((one) => one.name === name);
  return seen === undefined ? wanted.has(name) : !known.has(fingerprint(seen));
}
