import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextSteps } from './next-steps.ts';
import { openScreen } from './screen.ts';
import { formatTable } from './table.ts';

const row = (name: string, state: string) => ({ name, kind: 'process', state, restarts: 0, log: '' });
const object = (kind: string, rest: object) => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name: 'x' },
  ...rest,
});

function recorder(isTTY: boolean) {
  const written: string[] = [];
  return { written, write: (text: string) => written.push(text), isTTY, columns: 80 };
}

describe('the screen', () => {
  it('prints one line per change where there is no terminal', () => {
    const output = recorder(false);
    const screen = openScreen(output, {});
    screen.rows([row('a', 'starting'), row('b', 'starting')]);
    screen.rows([row('a', 'ready'), row('b', 'starting')]);
    screen.rows([row('a', 'ready')]);
    screen.note('hello');
    screen.close();
    assert.deepEqual(output.written, ['a: starting\n', 'b: starting\n', 'a: ready\n', 'b: gone\n', 'hello\n']);
  });

  it('redraws the table in place on a terminal, with notes above it', () => {
    const output = recorder(true);
    const screen = openScreen(output, { NO_COLOR: '1' });
    screen.rows([row('a', 'ready')]);
    screen.note('first');
    assert.equal(output.written.at(-1), 'first\n\nWORKLOAD  KIND     STATE  RESTARTS\na         process  ready\n');
    screen.note('second');
    assert.match(output.written.at(-1) ?? '', /^\x1b\[3A\x1b\[0Jsecond\n\nWORKLOAD/);
    screen.close();
  });

  it('never draws more lines than the terminal has, and shows first what is not ready', () => {
    const output = { ...recorder(true), rows: 8 };
    const screen = openScreen(output, { NO_COLOR: '1' });
    screen.rows(
      [row('broken', 'restarting'), ...Array.from({ length: 30 }, (_, i) => row(`w${i}`, 'ready'))].reverse(),
    );
    screen.note('first');
    screen.note('second');
    screen.close();
    const drawn = (output.written.at(-1) ?? '').split('\n');
    assert.match(drawn[0] ?? '', /^\x1b\[7A\x1b\[0J$/);
    assert.match(drawn[2] ?? '', /^broken +process +restarting/);
    assert.deepEqual(drawn.slice(-2), ['and 27 more', '']);
    assert.equal(drawn.length, 8);
  });

  it('takes a terminal that does not know its width for one of 80 columns', () => {
    const output = { ...recorder(true), columns: 0 };
    const screen = openScreen(output, { NO_COLOR: '1' });
    screen.rows([row('a', 'ready')]);
    screen.close();
    assert.match(output.written.at(-1) ?? '', /RESTARTS\na +process +ready\n/);
  });

  it('never draws a line that wraps', () => {
    const output = { ...recorder(true), columns: 20 };
    const screen = openScreen(output, { NO_COLOR: '1' });
    screen.rows([row('a-very-long-workload-name', 'ready')]);
    screen.close();
    for (const line of (output.written.at(-1) ?? '').split('\n')) assert.ok(line.length < 20, line);
  });
});

describe('next steps', () => {
  it('come from the annotations of a gateway', () => {
    const gateways = [
      object('Gateway', {
        metadata: { name: 'g', annotations: { 'weft.dev/open': '/shop', 'weft.dev/next': 'one\ntwo\n' } },
      }),
    ];
    const lines = nextSteps('http://localhost:1', { gateways, virtualServices: [] });
    assert.ok(lines.includes('  http://localhost:1/shop'));
    assert.deepEqual(lines.slice(lines.indexOf('Try next:') + 1, -2), ['  one', '  two']);
  });

  it('are found in the routes of gateways otherwise', () => {
    const http = [{ match: [{ uri: { exact: '/a' } }, { uri: { prefix: '/b' } }, {}] }, {}];
    const virtualServices = [
      object('VirtualService', { spec: { gateways: ['g'], http } }),
      object('VirtualService', { spec: { http } }),
    ];
    const lines = nextSteps('http://localhost:1', { gateways: [object('Gateway', {})], virtualServices });
    assert.deepEqual(lines.slice(1, 4), ['Open:', '  http://localhost:1/a', '  http://localhost:1/b']);
  });

  it('name no page when nothing can be reached from outside', () => {
    assert.ok(!nextSteps('http://localhost:1', { gateways: [], virtualServices: [] }).includes('Open:'));
  });
});

describe('a table', () => {
  it('is as wide as its widest cells', () => {
    assert.deepEqual(
      formatTable([
        ['A', 'BB', ''],
        ['long', 'x', 'y'],
      ]),
      ['A     BB', 'long  x   y'],
    );
  });
});
