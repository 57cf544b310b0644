// Durations as resources write them.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseDurationMs } from './duration.ts';

const good: readonly (readonly [string, number])[] = [
  ['1s', 1000],
  ['1.5s', 1500],
  ['100ms', 100],
  ['1h30m', 5_400_000],
  ['2m0.5s', 120_500],
  ['0s', 0],
  ['0', 0],
  ['500us', 0.5],
  ['1000000ns', 1],
];
const bad = [
  '',
  '1',
  's',
  '-1s',
  '1 s',
  '1s ',
  '1S',
  '1d',
  '.5s',
  '1.s',
  '1e3s',
  '1s1',
  `${'9'.repeat(60)}s`,
  `${'1s'.repeat(40)}`,
];

for (const [text, ms] of good) it(`reads ${text} as ${ms} ms`, () => assert.equal(parseDurationMs(text), ms));
for (const text of bad)
  it(`takes ${JSON.stringify(text)} for no duration`, () => assert.equal(parseDurationMs(text), null));
