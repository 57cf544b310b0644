import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { PausedClock } from './clock.ts';
import { startWallTimer, type WallMoment } from './wall-timer.ts';

const hourMs = 3600_000;

function setUp(context: TestContext, moment: (nowMs: number) => WallMoment) {
  const clock = new PausedClock();
  const fired: number[] = [];
  const timer = startWallTimer(clock, moment(clock.wallMs()), (one: number[]) => one.push(clock.now()), fired);
  context.after(() => timer.stop());
  return { clock, fired, timer };
}

test('fires once, to the tick, when nobody touches the clock', (context) => {
  const { clock, fired } = setUp(context, (nowMs) => ({ atMs: nowMs + hourMs }));
  clock.advance(hourMs - 10);
  assert.deepEqual(fired, []);
  clock.advance(20);
  assert.deepEqual(fired, [hourMs]);
  clock.advance(hourMs);
  assert.equal(fired.length, 1);
});

test('fires within a minute after a sleep, or a clock that was set forward, has passed its moment', (context) => {
  const { clock, fired } = setUp(context, (nowMs) => ({ atMs: nowMs + 24 * hourMs }));
  clock.advance(hourMs);
  clock.setWall(clock.wallMs() + 30 * hourMs);
  clock.advance(60_000);
  assert.equal(fired.length, 1);
});

test('waits for the calendar when the clock was set back a little', (context) => {
  const { clock, fired } = setUp(context, (nowMs) => ({ atMs: nowMs + hourMs, notBeforeMs: nowMs - hourMs }));
  clock.setWall(clock.wallMs() - hourMs);
  clock.advance(2 * hourMs - 10);
  assert.deepEqual(fired, []);
  clock.advance(20);
  assert.equal(fired.length, 1);
});

test('fires early when the clock was set back to before its time', (context) => {
  const { clock, fired } = setUp(context, (nowMs) => ({ atMs: nowMs + hourMs, notBeforeMs: nowMs - 1000 }));
  clock.advance(60_000);
  clock.setWall(clock.wallMs() - hourMs);
  clock.advance(60_000);
  assert.equal(fired.length, 1);
});

test('takes a clock that is behind from the start for no jump, until it has come up', (context) => {
  const { clock, fired } = setUp(context, (nowMs) => ({ atMs: nowMs + 3 * hourMs, notBeforeMs: nowMs + hourMs }));
  clock.advance(hourMs + 60_000);
  assert.deepEqual(fired, []);
  clock.setWall(clock.wallMs() - hourMs);
  clock.advance(60_000);
  assert.equal(fired.length, 1);
});

test('a moment that is over is due at the next tick', (context) => {
  const { clock, fired } = setUp(context, (nowMs) => ({ atMs: nowMs - 1 }));
  assert.deepEqual(fired, []);
  clock.advance(10);
  assert.equal(fired.length, 1);
});

test('fires no more once it is stopped', (context) => {
  const { clock, fired, timer } = setUp(context, (nowMs) => ({ atMs: nowMs + hourMs }));
  clock.advance(hourMs / 2);
  timer.stop();
  clock.advance(hourMs);
  assert.deepEqual(fired, []);
});
