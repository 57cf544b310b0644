// Rounds → medians → a table for people and JSON for programs.

import type { CaseName } from './bench-case.ts';
import type { Measurement } from './measure.ts';

/** All rounds of one peer in one case; `failure` says why there are fewer than asked. */
export interface Row {
  readonly caseName: CaseName;
  readonly peer: string;
  readonly rounds: Measurement[];
  failure: string | null;
}

type NumberKey = { [K in keyof Measurement]: Measurement[K] extends number ? K : never }[keyof Measurement];

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN;
  return ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function medianOf(row: Row, key: NumberKey): number {
  return median(row.rounds.map((round) => round[key]));
}

/** (largest - smallest) / median: whether a difference between two rows means anything. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/** A share for people; `-` for none. */
export const percent = (share: number): string => (Number.isNaN(share) ? '-' : `${Math.round(share * 100)}%`);

const columns: readonly (readonly [title: string, cell: (row: Row, envoy: Row | undefined) => string])[] = [
  ['CPU µs/req', (row) => medianOf(row, 'cpuUs').toFixed(1)],
  ['±', (row) => percent(spread(row.rounds.map(({ cpuUs }) => cpuUs)))],
  ['user', (row) => medianOf(row, 'userUs').toFixed(1)],
  ['vs envoy', (row, envoy) => ratioTo(row, envoy)],
  ['req/s', (row) => medianOf(row, 'perSecond').toFixed(0)],
  ['p50 ms', (row) => medianOf(row, 'p50Ms').toFixed(2)],
  ['p99 ms', (row) => medianOf(row, 'p99Ms').toFixed(2)],
  ['peak MiB', (row) => medianOf(row, 'peakMiB').toFixed(0)],
  ['start ms', (row) => medianOf(row, 'startMs').toFixed(0)],
  ['failed', (row) => String(row.rounds.reduce((sum, { failed }) => sum + failed, 0))],
  ['core', (row) => percent(medianOf(row, 'coreShare'))],
  ['others', (row) => percent(medianOf(row, 'othersShare'))],
];

function ratioTo(row: Row, envoy: Row | undefined): string {
  if (envoy === undefined || envoy.rounds.length === 0 || row.peer === 'direct') return '-';
  return `${(medianOf(row, 'cpuUs') / medianOf(envoy, 'cpuUs')).toFixed(2)}×`;
}

/** One Markdown table per case. */
export function formatTable(rows: readonly Row[], caseName: CaseName): string {
  const mine = rows.filter((row) => row.caseName === caseName);
  const envoy = mine.find(({ peer }) => peer === 'envoy');
  const cells = [['peer', ...columns.map(([title]) => title)]];
  for (const row of mine) {
    if (row.rounds.length > 0) cells.push([row.peer, ...columns.map(([, cell]) => cell(row, envoy))]);
  }
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0))) ?? [];
  const lines = cells.map((line) => `| ${line.map((cell, i) => pad(cell, widths[i] ?? 0, i)).join(' | ')} |`);
  lines.splice(
    1,
    0,
    `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`,
  );
  return [`\n### ${caseName}\n`, ...lines, ...notes(mine)].join('\n');
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}

function notes(rows: readonly Row[]): string[] {
  const lines: string[] = [];
  for (const row of rows) {
    const remarks = new Set(row.rounds.flatMap((round) => round.remarks));
    if (remarks.size > 0) lines.push(`${row.peer}: ${[...remarks].join(', ')}`);
    if (row.failure !== null) lines.push(`${row.peer}: failed: ${row.failure}`);
  }
  return lines.length === 0 ? [] : ['', ...lines];
}

/** The same with every round, for a program to read. */
export function toJson(rows: readonly Row[], conditions: object): string {
  const results = rows.map((row) => ({
    case: row.caseName,
    peer: row.peer,
    failure: row.failure,
    median: row.rounds.length === 0 ? null : medianRow(row),
    rounds: row.rounds,
  }));
  return JSON.stringify({ conditions, results }, null, 2);
}

const keys: readonly NumberKey[] = [
  'cpuUs',
  'userUs',
  'perSecond',
  'p50Ms',
  'p99Ms',
  'peakMiB',
  'startMs',
  'coreShare',
  'othersShare',
];

function medianRow(row: Row): Record<string, number> {
  return Object.fromEntries(keys.map((key) => [key, medianOf(row, key)]));
}
