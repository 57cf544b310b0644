// Which worker hangs, seen from the main thread.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import type { WatchdogTimes } from '../../bootstrap/watchdog.ts';
import { Watchdog } from './watchdog.ts';

const times: WatchdogTimes = {
  missMs: 200,
  megaMissMs: 1000,
  killMs: 0,
  killJitterMs: 0,
  multiKillMs: 0,
  multiKillPercent: 0,
};

type Life = 'idle' | 'busy' | 'hung';

/** So many workers under a paused clock; what the watchdog says of them. */
class Scene {
  readonly said: string[] = [];
  readonly pings: number[] = [];
  private readonly clock = new PausedClock();
  private readonly lives: Life[];
  private readonly idle: number[];
  private readonly asked: (() => void)[][];
  private readonly watchdog: Watchdog;

  constructor(workers: number, own: Partial<WatchdogTimes> = {}) {
    const say =
      (what: string) =>
      (index: number, silentMs?: number): void => {
        this.said.push(silentMs === undefined ? `${what} ${index}` : `${what} ${index} ${silentMs}`);
      };
    const events = { onMiss: say('miss'), onMegaMiss: say('mega'), onBack: say('back'), onKill: say('kill') };
    this.lives = new Array<Life>(workers).fill('idle');
    this.idle = new Array<number>(workers).fill(0);
    this.asked = Array.from({ length: workers }, () => []);
    this.watchdog = new Watchdog({ ...times, ...own }, events, this.clock, () => 0.5);
    for (let index = 0; index < workers; index++) {
      this.watchdog.begin({
        index,
        idleMs: () => this.idle[index] ?? 0,
        ping: () => {
          this.pings.push(index);
          return new Promise<void>((resolve) => this.asked[index]?.push(resolve));
        },
      });
    }
  }

  set(index: number, life: Life): void {
    this.lives[index] = life;
  }

  /** Time in which the main thread looks when it is to. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += this.watchdog.periodMs) await this.step(this.watchdog.periodMs);
  }

  /** Time that passes as one for the main thread. */
  async step(ms: number): Promise<void> {
    this.clock.advance(ms);
    for (const [index, life] of this.lives.entries()) {
      if (life === 'idle') this.idle[index] = (this.idle[index] ?? 0) + 1;
      if (life !== 'hung') for (const answer of this.asked[index]?.splice(0) ?? []) answer();
    }
    await Promise.resolve();
    this.watchdog.look();
  }
}

describe('the watchdog', () => {
  it('does not wake an idle worker', async () => {
    const scene = new Scene(2);
    await scene.pass(5000);
    assert.deepEqual(scene.said, []);
    assert.deepEqual(scene.pings, []);
  });

  it('asks a busy one, which answers', async () => {
    const scene = new Scene(2);
    scene.set(1, 'busy');
    await scene.pass(5000);
    assert.deepEqual(scene.said, []);
    assert.ok(scene.pings.length > 0 && scene.pings.every((index) => index === 1));
  });

  it('counts and tells once what hangs, and tells when it goes on', async () => {
    const scene = new Scene(2);
    scene.set(0, 'hung');
    await scene.pass(900);
    assert.deepEqual(scene.said, ['miss 0']);
    await scene.pass(2100);
    assert.deepEqual(scene.said, ['miss 0', 'mega 0 1000']);
    scene.set(0, 'idle');
    await scene.pass(1000);
    assert.deepEqual(scene.said.slice(2), ['back 0 3100']);
    scene.set(0, 'hung');
    await scene.pass(300);
    assert.deepEqual(scene.said.slice(3), ['miss 0']);
  });

  it('blames nobody for the time in which the process stood still', async () => {
    const scene = new Scene(2);
    scene.set(1, 'busy');
    await scene.pass(500);
    scene.set(1, 'hung');
    await scene.step(60_000);
    scene.set(1, 'busy');
    await scene.pass(1000);
    assert.deepEqual(scene.said, []);
  });

  it('still finds a worker that hangs where the main thread itself is often late', async () => {
    const scene = new Scene(1);
    scene.set(0, 'hung');
    for (let i = 0; i < 10; i++) await scene.step(300);
    assert.deepEqual(scene.said, ['miss 0', 'mega 0 1000']);
  });

  it('ends a worker after the time to kill and some of the jitter, once', async () => {
    const scene = new Scene(2, { killMs: 2000, killJitterMs: 400 });
    scene.set(1, 'hung');
    await scene.pass(2100);
    assert.deepEqual(scene.said, ['miss 1', 'mega 1 1000']);
    await scene.pass(3000);
    assert.deepEqual(scene.said.slice(2), ['kill 1 2200']);
  });

  it('ends those that hang together sooner, when they are many enough', async () => {
    const scene = new Scene(4, { multiKillMs: 1500, multiKillPercent: 75 });
    scene.set(0, 'hung');
    scene.set(1, 'hung');
    await scene.pass(3000);
    assert.ok(!scene.said.some((line) => line.startsWith('kill')));
    scene.set(2, 'hung');
    await scene.pass(1500);
    assert.deepEqual(scene.said.slice(-3), ['kill 0 4500', 'kill 1 4500', 'kill 2 1500']);
  });

  it('looks for nothing where every time is off', () => {
    const off = { ...times, missMs: 0, megaMissMs: 0 };
    const none = (): void => {};
    const events = { onMiss: none, onMegaMiss: none, onBack: none, onKill: none };
    assert.equal(new Watchdog(off, events, new PausedClock(), () => 0).periodMs, Number.POSITIVE_INFINITY);
  });
});
