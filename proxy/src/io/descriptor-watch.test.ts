// What is said of a shortage of file descriptors, and how often.

import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { Log, LogControl } from '@weft/lib/log';
import { MetricsRegistry } from '@weft/lib/metrics';
import { DescriptorWatch, isShortage } from './descriptor-watch.ts';

function makeWatch(limit = 1024) {
  const clock = new PausedClock();
  const said: string[] = [];
  const writer = {
    write: (line: string) => {
      said.push(String(JSON.parse(line).message).split(':')[0] ?? '');
      return true;
    },
  };
  const log = new Log({ writer, clock, control: new LogControl('info') }, 'test');
  const scope = new MetricsRegistry().scope({ prefix: 'file_descriptors' });
  const state = { isOneFree: false };
  const watch = new DescriptorWatch({ clock, log, scope, limit, isOneFree: () => state.isOneFree });
  return { clock, said, watch, state, exhausted: () => scope.counter('exhausted').value };
}

/** As an accepted socket that has this descriptor. */
function socketWith(fd: number): Socket {
  return Object.assign(new Socket(), { _handle: { fd } });
}

describe('a shortage of file descriptors', () => {
  it('is seen by the last number there is', () => {
    const { watch, said, exhausted } = makeWatch();
    watch.onAccepted(socketWith(1022));
    assert.equal(exhausted(), 0);
    watch.onAccepted(socketWith(1023));
    assert.equal(exhausted(), 1);
    assert.deepEqual(said, ['out of file descriptors']);
  });

  it('is said once a minute while it lasts, and when it is over', () => {
    const { watch, said, clock, state } = makeWatch();
    for (let i = 0; i < 5; i++) watch.onShortage();
    clock.advance(59_000);
    watch.onShortage();
    assert.equal(said.length, 1);
    clock.advance(2000);
    assert.equal(said.length, 2);
    state.isOneFree = true;
    clock.advance(9000);
    watch.onShortage();
    clock.advance(9000);
    assert.equal(said.length, 2, 'not over yet');
    clock.advance(2000);
    assert.deepEqual(said.slice(2), ['file descriptors are free again']);
    clock.advance(600_000);
    watch.onShortage();
    assert.deepEqual(said.slice(3), ['out of file descriptors']);
  });

  it('is what the system calls so', () => {
    assert.equal(isShortage(Object.assign(new Error('x'), { code: 'EMFILE' })), true);
    assert.equal(isShortage(Object.assign(new Error('x'), { code: 'ENFILE' })), true);
    assert.equal(isShortage(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })), false);
    assert.equal(isShortage(null), false);
  });
});
