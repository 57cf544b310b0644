import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { operatorNames } from '../proxy/src/telemetry/format.ts';
import { metricHelp } from './docs/metric-help.ts';
import { findMetrics } from './docs/metrics-page.ts';
import { operatorHelp } from './docs/operator-help.ts';
import { isTest, readSources } from './source/tree.ts';

describe('generated pages', () => {
  it('are current', () => {
    const script = fileURLToPath(new URL('./docs.ts', import.meta.url));
    const result = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
    assert.equal(result.stderr, '');
    assert.equal(result.status, 0);
  });

  it('explain every format operator, and no other', () => {
    assert.deepEqual(Object.keys(operatorHelp).sort(), operatorNames());
  });

  it('explain every metric there is, and no other', () => {
    const names = new Set(
      findMetrics(readSources().filter((source) => !isTest(source.path))).map((metric) => metric.name),
    );
    assert.deepEqual(
      [...names].filter((name) => !(name in metricHelp)),
      [],
    );
    assert.deepEqual(
      Object.keys(metricHelp).filter((name) => !names.has(name)),
      [],
    );
  });
});
