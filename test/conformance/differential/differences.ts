// Differences between the two proxies: how one is seen, how it is explained, and where what was seen before is kept.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { difference } from './outcome.ts';
import { reasons } from './reasons.ts';
import type { Outcomes } from './subject.ts';

/** What only one of the proxies did in a case. */
export interface Difference {
  readonly name: string;
  readonly envoy: readonly string[];
  readonly weft: readonly string[];
}

/** As kept: with the reason that explains it. */
export interface KeptDifference extends Difference {
  readonly reason: string;
}

/** The content of the file. */
export interface Kept {
  /** Whose differences these are. */
  readonly envoyVersion: string;
  readonly http1Cases: number;
  readonly http2Cases: number;
  readonly differences: readonly KeptDifference[];
}

/** One line about the run, then one for each difference. */
const file = join(import.meta.dirname, 'differences.jsonl');

export function readKept(): Kept {
  const [head = '', ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const run = JSON.parse(head) as Omit<Kept, 'differences'>;
  return { ...run, differences: lines.map((line) => JSON.parse(line) as KeptDifference) };
}

export function writeKept(kept: Kept): void {
  const { differences, ...run } = kept;
  writeFileSync(file, [run, ...differences].map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** The cases in which the outcomes differ. */
export function findDifferences(names: readonly string[], envoy: Outcomes, weft: Outcomes): Difference[] {
  return names.flatMap((name) => {
    const { onlyOne, onlyOther } = difference(envoy.get(name) ?? [], weft.get(name) ?? []);
    return onlyOne.length + onlyOther.length === 0 ? [] : [{ name, envoy: onlyOne, weft: onlyOther }];
  });
}

/** The first reason that covers it; null when nothing explains it. */
export function explain(seen: Difference): string | null {
  return reasons.find(({ covers }) => covers(seen))?.id ?? null;
}

/** One line that is equal for equal differences. */
export function fingerprint({ name, envoy, weft }: Difference): string {
  return JSON.stringify([name, [...envoy].sort(), [...weft].sort()]);
}
