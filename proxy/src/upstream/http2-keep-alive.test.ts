import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import type { Connection } from '../io/connection.ts';
import type { Http2Connection } from '../protocol/http2/connection.ts';
import { Http2KeepAlive, type KeepAliveOwner, type KeepAlivePlan } from './http2-keep-alive.ts';

const plan: KeepAlivePlan = { intervalMs: 10_000, timeoutMs: 2000, jitter: 0, idleIntervalMs: 0 };

class Owner implements KeepAliveOwner {
  readonly clock = new PausedClock();
  readonly events: string[] = [];
  lastByteMs = 0;
  readonly http2 = { ping: () => this.events.push('ping') } as unknown as Http2Connection;
  readonly connection = {
    paused: false,
    resume: () => {
      this.connection.paused = false;
      this.events.push('resume');
    },
  } as unknown as Connection & { paused: boolean };
  readonly keepAlive: Http2KeepAlive;

  constructor(more: Partial<KeepAlivePlan> = {}, random = 0) {
    this.keepAlive = new Http2KeepAlive({ ...plan, ...more }, this, this.clock, () => random);
  }

  onDead(): void {
    this.events.push('dead');
  }
}

test('asks at each interval and goes on while answers come', () => {
  const owner = new Owner();
  for (let i = 0; i < 3; i++) {
    owner.clock.advance(10_100);
    owner.keepAlive.onPong();
  }
  assert.deepEqual(owner.events, ['ping', 'ping', 'ping']);
});

test('gives up when nothing comes', () => {
  const owner = new Owner();
  owner.clock.advance(12_100);
  assert.deepEqual(owner.events, ['ping', 'dead']);
});

test('waits on while other bytes come', () => {
  const owner = new Owner();
  owner.clock.advance(11_000);
  owner.lastByteMs = owner.clock.now();
  owner.clock.advance(1900);
  assert.deepEqual(owner.events, ['ping']);
  owner.clock.advance(200);
  assert.deepEqual(owner.events, ['ping', 'dead']);
});

test('reads first where it was we who did not', () => {
  const owner = new Owner();
  owner.connection.paused = true;
  owner.clock.advance(12_100);
  assert.deepEqual(owner.events, ['ping', 'resume']);
  owner.lastByteMs = owner.clock.now();
  owner.connection.paused = true;
  owner.clock.advance(2100);
  assert.deepEqual(owner.events, ['ping', 'resume', 'resume'], 'what came is a sign of life');
  owner.clock.advance(2100);
  assert.deepEqual(owner.events, ['ping', 'resume', 'resume', 'dead']);
});

test('adds a share of the interval by chance', () => {
  const owner = new Owner({ jitter: 0.5 }, 1);
  owner.clock.advance(14_900);
  assert.deepEqual(owner.events, []);
  owner.clock.advance(200);
  assert.deepEqual(owner.events, ['ping']);
});

test('asks ahead of a stream after a long silence, once', () => {
  const owner = new Owner({ intervalMs: 0, idleIntervalMs: 5000 });
  owner.clock.advance(4000);
  owner.keepAlive.onStream();
  owner.clock.advance(2000);
  owner.keepAlive.onStream();
  owner.keepAlive.onStream();
  assert.deepEqual(owner.events, ['ping']);
  owner.keepAlive.onPong();
  owner.clock.advance(60_000);
  assert.deepEqual(owner.events, ['ping'], 'and not by the clock');
});

test('is silent once stopped', () => {
  const owner = new Owner();
  owner.keepAlive.stop();
  owner.clock.advance(60_000);
  assert.deepEqual(owner.events, []);
});
