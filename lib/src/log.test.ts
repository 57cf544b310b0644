import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PausedClock } from './clock.ts';
import { applyComponentLevels, Log, LogControl, parseLogLevel } from './log.ts';

function fixture(level: 'info' | 'debug' = 'info') {
  const lines: string[] = [];
  const writer = { write: (line: string) => lines.push(line) > 0 };
  const control = new LogControl(level);
  const log = new Log({ writer, clock: new PausedClock(), control }, 'main', { pid: 7 });
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, control, lines, parsed };
}

describe('Log', () => {
  it('writes one JSON line with time, level, message, component and fields', () => {
    const { log, lines } = fixture();
    log.child('xds', { node: 'n1' }).warn('update refused', { code: 'WEFT0001', count: 2, names: ['a', 'b'] });
    assert.equal(
      lines[0],
      '{"time":"2026-01-01T00:00:00.000Z","level":"warn","message":"update refused","component":"xds","pid":7,"node":"n1","code":"WEFT0001","count":2,"names":["a","b"]}',
    );
  });

  it('leaves out what lies below the level of the component', () => {
    const { log, control, parsed } = fixture();
    const xds = log.child('xds');
    log.debug('no');
    control.set('xds', 'debug');
    xds.debug('yes');
    log.debug('still no');
    assert.equal(xds.debugOn, true);
    assert.equal(log.debugOn, false);
    assert.deepEqual(
      parsed().map((line) => line.message),
      ['yes'],
    );
  });

  it('changes every component at once, also those made later', () => {
    const { log, control } = fixture();
    control.setAll('trace');
    assert.equal(log.traceOn, true);
    assert.equal(log.child('later').traceOn, true);
    control.setAll('off');
    assert.deepEqual(control.levels(), [
      ['later', 'off'],
      ['main', 'off'],
    ]);
  });

  it('refuses to set a component that does not exist', () => {
    assert.equal(fixture().control.set('xdss', 'debug'), false);
  });

  it('writes a thrown thing by its message and system code', () => {
    const { log, parsed } = fixture();
    log.error('connecting failed', { error: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) });
    assert.equal(parsed()[0]?.error, 'refused');
    assert.equal(parsed()[0]?.errorCode, 'ECONNREFUSED');
  });

  it('conceals secrets that a message quotes', () => {
    const { log, lines } = fixture();
    const secrets = [
      '-----BEGIN EC PRIVATE KEY-----\nMHcC',
      'sent Bearer abcdefghijklmnop',
      'proxy http://reviews:s3cr3t@127.0.0.1:1 refused',
    ];
    for (const secret of secrets) log.info('failed', { reason: secret, error: secret });
    for (const line of lines) assert.doesNotMatch(line, /MHcC|abcdef|s3cr3t/);
    assert.equal(lines.length, 3);
  });

  it('keeps a line whole whatever a value holds', () => {
    const { log, lines, parsed } = fixture();
    log.info('odd', { reason: 'a\n"b"\u2028', count: Number.NaN, details: 'x'.repeat(10_000) });
    assert.equal(lines[0]?.includes('\n'), false);
    assert.equal(parsed()[0]?.count, 'NaN');
    assert.match(String(parsed()[0]?.details), /… \(10000 characters\)$/);
  });
});

describe('levels', () => {
  it('are read by our words and by Envoy’s', () => {
    assert.deepEqual(['debug', 'WARNING', 'critical', 'loud'].map(parseLogLevel), ['debug', 'warn', 'error', null]);
  });

  it('are set from a list of components, with what cannot be read given back', () => {
    const control = new LogControl('info');
    assert.deepEqual(applyComponentLevels(control, 'upstream:debug, xds:trace,oops,x:loud'), ['oops', 'x:loud']);
    assert.deepEqual(control.levels(), [
      ['upstream', 'debug'],
      ['xds', 'trace'],
    ]);
  });
});
