import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasLiveMember } from '../state/process-identity.ts';
import { Backoff } from './backoff.ts';
import { type ChildSpec, describeExit, findProgram, startUserChild } from './child.ts';
import { Keeper } from './keeper.ts';
import { LogKeeper } from './log-file.ts';

const isElsewhere = process.platform !== 'linux';

function makeSpec(context: TestContext, ...command: string[]): ChildSpec & { output: string } {
  const workingFolder = mkdtempSync(join(tmpdir(), 'weft-child-'));
  context.after(() => rmSync(workingFolder, { recursive: true, force: true }));
  return { command, env: { PATH: process.env.PATH }, workingFolder, output: join(workingFolder, 'logs/out.log') };
}

describe("a user's program under the guard", () => {
  it('has its output in the log and its exit status told', async (context) => {
    const spec = makeSpec(context, 'sh', '-c', 'echo out; echo err >&2; exit 7');
    assert.deepEqual(await startUserChild(spec).ended, { code: 7, signal: null });
    assert.equal(readFileSync(spec.output, 'utf8'), 'out\nerr\n');
  });

  it('gets its arguments as they are', async (context) => {
    const spec = makeSpec(context, 'printf', '%s|', 'a b', '$HOME', '"x"', '', '--');
    await startUserChild(spec).ended;
    assert.equal(readFileSync(spec.output, 'utf8'), 'a b|$HOME|"x"||--|');
  });

  it('does not see the pipe of the guard', async (context) => {
    const spec = makeSpec(context, 'sh', '-c', 'if { true >&3; } 2>/dev/null; then echo open; else echo closed; fi');
    await startUserChild(spec).ended;
    assert.equal(readFileSync(spec.output, 'utf8'), 'closed\n');
  });

  it('is ended by SIGTERM with everything that it started', async (context) => {
    const spec = makeSpec(context, 'sh', '-c', 'sleep 600 & echo started; wait');
    const child = startUserChild(spec);
    await waitFor(() => existsSync(spec.output) && readFileSync(spec.output, 'utf8') === 'started\n');
    await child.stop(10_000);
    assert.equal(hasLiveMember(child.pid), false);
  });

  it('is made to end when it does not listen to SIGTERM', async (context) => {
    const spec = makeSpec(context, 'sh', '-c', 'trap "" TERM; echo started; while :; do sleep 0.05; done');
    const child = startUserChild(spec);
    await waitFor(() => existsSync(spec.output) && readFileSync(spec.output, 'utf8') === 'started\n');
    await child.stop(100);
    assert.equal(hasLiveMember(child.pid), false);
  });

  it('takes along what it leaves behind when it ends by itself', async (context) => {
    const spec = makeSpec(context, 'sh', '-c', 'sleep 600 & exit 3');
    const child = startUserChild(spec);
    assert.equal((await child.ended).code, 3);
    assert.equal(hasLiveMember(child.pid), false);
  });

  it('is ended when its watcher is killed, as nothing would end it with us', { skip: isElsewhere }, async (context) => {
    const spec = makeSpec(context, 'sh', '-c', 'echo started; exec sleep 600');
    const child = startUserChild(spec);
    await waitFor(() => existsSync(spec.output) && readFileSync(spec.output, 'utf8') === 'started\n');
    const [watcher] = membersOf(child.pid).filter(({ pid, name }) => name === 'sh' && pid !== child.pid);
    process.kill(watcher?.pid ?? assert.fail(), 'SIGKILL');
    const exit = await child.ended;
    assert.equal(describeExit(exit), 'was ended because its watcher was killed');
    assert.equal(hasLiveMember(child.pid), false);
  });

  it('is refused in words when the program or the folder does not exist', (context) => {
    const spec = makeSpec(context, 'no-such-program');
    assert.throws(() => startUserChild(spec), {
      code: 'WEFT0810',
      message: /no-such-program was not found on the PATH/,
    });
    assert.throws(() => startUserChild({ ...spec, command: ['./here'] }), { message: /not found in / });
    assert.throws(() => startUserChild({ ...spec, workingFolder: '/no/such' }), { message: /working folder/ });
    assert.throws(() => startUserChild({ ...spec, command: [] }), { message: /empty/ });
  });
});

describe('finding a program', () => {
  it('looks along the PATH, or at the path that was given', () => {
    assert.equal(findProgram('sh', '/nowhere:/bin', '/'), '/bin/sh');
    assert.equal(findProgram('bin/sh', '', '/'), '/bin/sh');
    assert.equal(findProgram('sh', '/nowhere', '/'), null);
  });
});

describe('describing an exit', () => {
  for (const [exit, text] of [
    [{ code: 0, signal: null }, 'exited with status 0'],
    [{ code: 137, signal: null }, 'was killed by SIGKILL'],
    [{ code: 255, signal: null }, 'exited with status 255'],
    [{ code: null, signal: 'SIGKILL' }, 'was killed by SIGKILL'],
  ] as const) {
    it(`says "${text}"`, () => assert.equal(describeExit(exit), text));
  }
});

describe('a keeper', () => {
  it('starts a process again whenever it ends, waiting longer each time', async (context) => {
    const spec = makeSpec(context, 'sh', '-c', 'exit 1');
    const delays: number[] = [];
    const quick = new Backoff(() => 0);
    const done = Promise.withResolvers<void>();
    const keeper = new Keeper(
      async () => startUserChild(spec),
      {
        onStarted: () => {},
        onDown: (reason, retryMs) => {
          assert.equal(reason, 'exited with status 1');
          if (delays.push(retryMs) === 3) done.resolve();
        },
      },
      quick,
    );
    keeper.start();
    await done.promise;
    await keeper.stop(1000);
    assert.deepEqual(delays, [100, 200, 400]);
    assert.equal(keeper.restarts, 3);
  });

  it('tells why a process could not be started', async (context) => {
    const spec = makeSpec(context, 'no-such-program');
    const down = Promise.withResolvers<string>();
    const keeper = new Keeper(async () => startUserChild(spec), {
      onStarted: () => {},
      onDown: (reason) => down.resolve(reason),
    });
    keeper.start();
    assert.match(await down.promise, /^could not be started: the program no-such-program/);
    await keeper.stop(1000);
  });
});

describe('back-off', () => {
  it('doubles up to half a minute and forgets after a stable time', () => {
    const backoff = new Backoff(() => 1);
    const delays = Array.from({ length: 9 }, () => backoff.next(0));
    assert.deepEqual(delays, [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000]);
    assert.equal(backoff.next(10_000), 0, 'what ran long is missed at once');
    assert.equal(backoff.next(0), 200);
  });

  it('spreads the delays', () => {
    assert.equal(new Backoff(() => 0).next(0), 100);
    assert.equal(new Backoff(() => 0.5).next(0), 150);
  });
});

describe('the keeper of logs', () => {
  it('cuts a log that is too large and keeps as much of its end as it may have', (context) => {
    const { workingFolder } = makeSpec(context);
    const path = join(workingFolder, 'a.log');
    const keeper = new LogKeeper(10);
    context.after(() => keeper.stop());
    keeper.watch(path);
    writeFileSync(path, 'short');
    keeper.check();
    assert.equal(readFileSync(path, 'utf8'), 'short');
    writeFileSync(path, 'much too long');
    keeper.check();
    assert.equal(readFileSync(path, 'utf8'), '');
    assert.equal(readFileSync(`${path}.1`, 'utf8'), 'h too long');
  });

  it('cuts a log also where its end cannot be kept, as on a full disk', (context) => {
    const { workingFolder } = makeSpec(context);
    // The name of the older part would be too long.
    const path = join(workingFolder, 'a'.repeat(254));
    const keeper = new LogKeeper(10);
    context.after(() => keeper.stop());
    keeper.watch(path);
    writeFileSync(path, 'much too long');
    keeper.check();
    assert.equal(readFileSync(path, 'utf8'), '');
  });
});

/** The living processes of a group. */
function membersOf(group: number): { pid: number; name: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const [, name = '', state, , memberOf] =
          /^\d+ \((.*)\) (\S) (\d+) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
        return memberOf === String(group) && state !== 'Z' ? [{ pid: Number(pid), name }] : [];
      } catch {
        return [];
      }
    });
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
