import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Measurement } from './measure.ts';
import { formatTable, median, type Row, toJson } from './report.ts';

function measurement(cpuUs: number): Measurement {
  return {
    requests: 1000,
    failed: 1,
    perSecond: 100,
    p50Ms: 1,
    p99Ms: 2,
    cpuUs,
    userUs: cpuUs / 2,
    peakMiB: 64,
    coreShare: 0.98,
    othersShare: 0.01,
    startMs: 100,
    remarks: ['TLSv1.3'],
  };
}

function row(peer: string, cpuUs: readonly number[], failure: string | null = null): Row {
  return { caseName: 'tls', peer, rounds: cpuUs.map(measurement), failure };
}

test('takes the middle of an odd count and the mean of the middle two of an even one', () => {
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test('compares with Envoy by medians and says how far the rounds lie apart', () => {
  const table = formatTable([row('envoy', [40, 50, 60]), row('weft', [20, 25, 30])], 'tls');
  assert.match(table, /\| weft +\| +25\.0 \| 40% \| +12\.5 \| +0\.50× \|/);
  assert.match(table, /weft: TLSv1\.3/);
});

test('names what failed instead of leaving it out', () => {
  const table = formatTable([row('envoy', [], 'did not listen')], 'tls');
  assert.match(table, /envoy: failed: did not listen/);
  assert.match(toJson([row('envoy', [], 'did not listen')], {}), /"failure": "did not listen"/);
});

test('gives every round to programs', () => {
  const { results } = JSON.parse(toJson([row('weft', [20, 30, 25])], { seconds: 8 }));
  assert.equal(results[0].median.cpuUs, 25);
  assert.equal(results[0].rounds.length, 3);
});
