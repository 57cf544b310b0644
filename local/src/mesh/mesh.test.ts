// The whole supervisor with real processes: a fake control plane, fake proxies, and small programs.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { kindInfo } from '@weft/api/resource/kind';
import { clientFor } from '../mesh-api/client.ts';
import { startMark } from '../state/process-identity.ts';
import type { RunFile } from '../state/run-file.ts';
import { announceJoined } from './joined.ts';
import { Mesh, type MeshOptions } from './mesh.ts';

const testdata = (name: string): string => fileURLToPath(new URL(`./testdata/${name}`, import.meta.url));
const quiet = { onRows: () => {}, onNote: () => {} };

interface Bench {
  readonly folder: string;
  readonly options: MeshOptions;
  readonly state: string;
}

function makeBench(context: TestContext, objects: readonly unknown[]): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'weft-mesh-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'objects.json'), JSON.stringify(objects));
  const state = join(folder, 'state');
  const options = {
    configFolder: folder,
    ingressPort: 0,
    apiPort: 0,
    env: { WEFT_HOME: state },
    proxyEntry: testdata('fake-proxy.mjs'),
    controlPlaneEntry: testdata('fake-control-plane.mjs'),
  };
  return { folder, options, state };
}

function processObject(name: string, spec: Record<string, unknown> = {}): unknown {
  return {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Process',
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: { command: ['node', testdata('app.mjs')], ports: [{ name: 'http', port: 80 }], ...spec },
  };
}

const runFile = (bench: Bench): RunFile => JSON.parse(readFileSync(join(bench.state, 'run.json'), 'utf8'));

async function until<T>(what: string, ask: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (const end = Date.now() + 15_000; Date.now() < end; ) {
    const value = await ask();
    if (value) return value;
    await sleep(20);
  }
  throw new Error(`timed out waiting for: ${what}`);
}

async function startMesh(context: TestContext, bench: Bench): Promise<Mesh> {
  const mesh = await Mesh.open(bench.options, quiet);
  context.after(() => mesh.stop());
  await mesh.start();
  assert.ok(await mesh.whenReady(15_000), 'the mesh becomes ready');
  return mesh;
}

const entryOf = (mesh: Mesh, name: string) => mesh.client.get(kindInfo('WorkloadEntry'), 'default', name);

describe('a local mesh', () => {
  it('runs every process with a sidecar, registers it and says so in run.json', async (context) => {
    const bench = makeBench(context, [processObject('web', { env: { COLOR: 'red' }, serviceAccount: 'web-account' })]);
    const mesh = await startMesh(context, bench);
    const entry = await until('the registration', () => entryOf(mesh, 'web'));
    const spec = entry.spec as { ports: { http: number }; serviceAccount: string; labels: unknown };
    assert.equal(spec.serviceAccount, 'web-account');
    assert.deepEqual(spec.labels, { app: 'web' });
    assert.equal(entry.metadata.annotations?.['weft.dev/process'], 'web');

    const run = runFile(bench);
    assert.equal(run.pid, process.pid);
    assert.deepEqual(Object.keys(run), ['ingress', 'api', 'tokenFile', 'pid', 'workloads']);
    assert.deepEqual(
      run.workloads.map((workload) => workload.name),
      ['istio-ingressgateway', 'web'],
    );
    assert.equal(statSync(run.tokenFile).mode & 0o777, 0o600);

    const bootstrap = JSON.parse(readFileSync(join(bench.state, 'workloads/default.web/bootstrap.json'), 'utf8'));
    const { inbound, capture } = bootstrap.node.metadata.WEFT_LOCAL;
    assert.equal(inbound[0].listenPort, spec.ports.http);
    const env = (await (await fetch(`http://127.0.0.1:${inbound[0].targetPort}/`)).json()) as Record<string, string>;
    assert.equal(env.COLOR, 'red');
    assert.match(env.HTTP_PROXY ?? '', new RegExp(`^http://weft:[\\w-]+@127\\.0\\.0\\.1:${capture.port}$`));
    assert.equal(env.http_proxy, env.HTTP_PROXY);
    assert.equal(env.NO_PROXY, 'localhost,127.0.0.1,::1');
    assert.equal(env.NODE_USE_ENV_PROXY, '1');
    assert.equal(env.WEFT_TETHER, undefined);
  });

  it('tells processes of one name in two namespaces apart', async (context) => {
    const web = processObject('web') as { metadata: object };
    const bench = makeBench(context, [web, { ...web, metadata: { ...web.metadata, namespace: 'shop' } }]);
    const names = new Set<string>();
    const mesh = await Mesh.open(bench.options, {
      onRows: (rows) => {
        for (const { name } of rows) names.add(name);
      },
      onNote: () => {},
    });
    context.after(() => mesh.stop());
    await mesh.start();
    assert.ok(await mesh.whenReady(15_000));
    assert.deepEqual([...names].sort(), ['control-plane', 'istio-ingressgateway', 'shop/web', 'web']);
  });

  it('says which replica does not run because another process has its name', async (context) => {
    const bench = makeBench(context, [processObject('web', { replicas: 2 }), processObject('web-r2')]);
    const notes: string[] = [];
    const mesh = await Mesh.open(bench.options, { onRows: () => {}, onNote: (text) => notes.push(text) });
    context.after(() => mesh.stop());
    await mesh.start();
    assert.ok(await mesh.whenReady(15_000));
    const entry = await until('the registration', () => entryOf(mesh, 'web-r2'));
    assert.equal(entry.metadata.annotations?.['weft.dev/process'], 'web-r2');
    assert.deepEqual(notes, [
      'replica 2 of Process web does not run, as its name is that of Process default/web-r2; rename one of the two',
    ]);
  });

  it('cuts the log of a process that joined by weft run, as any other', async (context) => {
    const bench = makeBench(context, []);
    const mesh = await startMesh(context, bench);
    const log = join(mesh.paths.joinedLogs, 'default.web-v1-7.proxy.log');
    mkdirSync(mesh.paths.joinedLogs);
    writeFileSync(log, Buffer.alloc(9 * 1024 * 1024));
    const withdraw = announceJoined(mesh.paths.joined, { name: 'web-v1-7', namespace: 'default', admin: '', log });
    context.after(withdraw);
    await until('the cut', () => statSync(log).size === 0);
  });

  it('removes the logs of processes that joined the mesh before it', async (context) => {
    const bench = makeBench(context, []);
    const logs = join(bench.state, 'logs', 'joined');
    mkdirSync(logs, { recursive: true });
    writeFileSync(join(logs, 'default.web-v1-7.proxy.log'), 'words');
    await startMesh(context, bench);
    assert.ok(!existsSync(logs));
  });

  it('heals after kill -9 of a program, of a sidecar and of the control plane, on the same ports', async (context) => {
    const bench = makeBench(context, []);
    const pidFile = join(bench.folder, 'app.pid');
    writeFileSync(
      join(bench.folder, 'objects.json'),
      JSON.stringify([processObject('web', { env: { PID_FILE: pidFile } })]),
    );
    const mesh = await startMesh(context, bench);
    const before = await until('the registration', () => entryOf(mesh, 'web'));

    const [appPid, grandchildPid] = readFileSync(pidFile, 'utf8').split(' ').map(Number) as [number, number];
    process.kill(appPid, 'SIGKILL');
    await until('another program', () => readFileSync(pidFile, 'utf8').split(' ')[0] !== String(appPid));
    assert.equal(startMark(grandchildPid), null, 'what the program had started is gone');
    await until('ready again', () => mesh.isReady);

    const folder = join(bench.state, 'workloads/default.web');
    const proxyPid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    const token = readFileSync(join(folder, 'used-token'), 'utf8');
    process.kill(proxyPid, 'SIGKILL');
    await until('another sidecar', () => readFileSync(join(folder, 'used-token'), 'utf8') !== token);
    await until('ready again', () => mesh.isReady);
    assert.deepEqual((await entryOf(mesh, 'web'))?.spec, before.spec);

    const controlPlanePid = Number(readFileSync(join(bench.state, 'control-plane/pid'), 'utf8'));
    process.kill(controlPlanePid, 'SIGKILL');
    await until(
      'another control plane',
      () => readFileSync(join(bench.state, 'control-plane/pid'), 'utf8') !== String(controlPlanePid),
    );
    // The fake keeps nothing on disk: what is there afterwards was registered again.
    const again = await until('the registration', () => entryOf(mesh, 'web').catch(() => null));
    assert.deepEqual(again.spec, before.spec);
  });

  it('follows processes that are added, changed and deleted while it runs', async (context) => {
    const bench = makeBench(context, [processObject('web')]);
    const mesh = await startMesh(context, bench);
    const kind = kindInfo('Process');
    await mesh.client.create(kind, processObject('late', { replicas: 2 }) as never);
    await until('both replicas', async () => (await entryOf(mesh, 'late')) && entryOf(mesh, 'late-r2'));
    await mesh.client.replace(kind, processObject('late', { replicas: 1 }) as never);
    await until('one replica less', async () => (await entryOf(mesh, 'late-r2')) === null);
    assert.ok(await entryOf(mesh, 'late'));
    await mesh.client.delete(kind, 'default', 'late');
    await until('none', async () => (await entryOf(mesh, 'late')) === null);
    await until('run.json', () => runFile(bench).workloads.every((workload) => workload.name !== 'late'));
  });

  it('ends at once with the reason when the control plane can never start', async (context) => {
    const bench = makeBench(context, []);
    mkdirSync(bench.state, { recursive: true });
    writeFileSync(join(bench.state, 'token'), 'this-token-is-bad');
    const mesh = await Mesh.open(bench.options, quiet);
    context.after(() => mesh.stop());
    await assert.rejects(mesh.start(), {
      code: 'WEFT0831',
      message: 'the control plane cannot start: WEFT0624: the token is bad',
    });
  });

  it('refuses a second mesh in the same state folder, naming the process that runs', async (context) => {
    const bench = makeBench(context, []);
    await startMesh(context, bench);
    await assert.rejects(Mesh.open(bench.options, quiet), {
      code: 'WEFT0802',
      message: new RegExp(`pid ${process.pid}`),
    });
  });

  it('refuses a port that is in use, naming the flag', async (context) => {
    const bench = makeBench(context, []);
    const taken = createServer().listen(0, '127.0.0.1');
    after(() => taken.close());
    await until('the listener', () => taken.listening);
    const port = (taken.address() as AddressInfo).port;
    await assert.rejects(Mesh.open({ ...bench.options, ingressPort: port }, quiet), {
      code: 'WEFT0803',
      message: /is in use.*--ingress-port/s,
    });
    // Nothing is left locked.
    await (await Mesh.open(bench.options, quiet)).stop();
  });

  it('refuses a folder that is none', async (context) => {
    const bench = makeBench(context, []);
    await assert.rejects(Mesh.open({ ...bench.options, configFolder: join(bench.folder, 'none') }, quiet), {
      code: 'WEFT0804',
    });
  });

  it('leaves nothing behind when it is stopped', async (context) => {
    const bench = makeBench(context, [processObject('web')]);
    const mesh = await startMesh(context, bench);
    const proxyPid = Number(readFileSync(join(bench.state, 'workloads/default.web/pid'), 'utf8'));
    await mesh.stop();
    assert.equal(startMark(proxyPid), null);
    assert.ok(!existsSync(join(bench.state, 'run.json')));
    assert.ok(!existsSync(join(bench.state, 'lock')));
    assert.deepEqual(processesMentioning(bench.folder), []);
  });

  it('ends all its processes when it is itself killed with -9, and a new one takes the stale lock over', async (context) => {
    const bench = makeBench(context, []);
    const { supervisor, gone } = await superviseMarked(bench);
    assert.ok(processesMentioning(bench.folder).length >= 4, 'control plane, two proxies and the program run');
    supervisor.kill('SIGKILL');
    await gone;
    assert.ok(existsSync(join(bench.state, 'run.json')), 'kill -9 leaves the file');
    await until('no process left', () => processesMentioning(bench.folder).length === 0);
    const mesh = await startMesh(context, bench);
    assert.ok(mesh.isReady);
  });

  it('ends a program whose watcher was killed together with the run before', async (context) => {
    const bench = makeBench(context, []);
    const { supervisor, gone } = await superviseMarked(bench);
    const guards = processesOf(bench.folder).filter(({ args }) => args.includes('guard.sh'));
    const watcher = guards.find(({ parent }) => guards.some(({ pid }) => pid === parent)) ?? assert.fail('no watcher');
    // Stopped, so that it cannot see what happens to the watcher before it is killed itself.
    supervisor.kill('SIGSTOP');
    process.kill(watcher.pid, 'SIGKILL');
    supervisor.kill('SIGKILL');
    await gone;
    const left = () => processesOf(bench.folder).filter(({ args }) => args.includes('app.mjs'));
    await until('the rest is gone', () => processesOf(bench.folder).length === left().length);
    const survivors = left().map(({ pid }) => pid);
    context.after(() => {
      for (const { pid } of left()) if (survivors.includes(pid)) process.kill(pid, 'SIGKILL');
    });
    assert.ok(survivors.length > 0, 'nobody ended the program');
    const mesh = await startMesh(context, bench);
    assert.ok(mesh.isReady);
    assert.ok(left().every(({ pid }) => !survivors.includes(pid)));
  });

  it('removes registrations that a killed run left behind', async (context) => {
    const left = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'WorkloadEntry',
      metadata: { name: 'old', namespace: 'default', annotations: { 'weft.dev/process': 'old' } },
    };
    const foreign = { ...left, metadata: { name: 'mine', namespace: 'default' } };
    const mesh = await startMesh(context, makeBench(context, [left, foreign]));
    assert.equal(await entryOf(mesh, 'old'), null);
    assert.ok(await entryOf(mesh, 'mine'));
  });

  it('marks a process unhealthy while its readiness check fails', async (context) => {
    const bench = makeBench(context, [
      processObject('web', {
        command: ['node', testdata('moody-app.mjs')],
        readiness: { httpGet: { path: '/health' }, periodSeconds: 0.1, failureThreshold: 1 },
      }),
    ]);
    const mesh = await startMesh(context, bench);
    const health = async () =>
      ((await entryOf(mesh, 'web'))?.status as { conditions: { status: string }[] } | undefined)?.conditions[0]?.status;
    await until('healthy', async () => (await health()) === 'True');
    const bootstrap = JSON.parse(readFileSync(join(bench.state, 'workloads/default.web/bootstrap.json'), 'utf8'));
    const app = `http://127.0.0.1:${bootstrap.node.metadata.WEFT_LOCAL.inbound[0].targetPort}`;
    await fetch(`${app}/break`);
    await until('unhealthy', async () => (await health()) === 'False');
    await fetch(`${app}/mend`);
    await until('healthy again', async () => (await health()) === 'True');
  });

  it('tells of a program that cannot be found, and goes on with the others', async (context) => {
    const bench = makeBench(context, [
      processObject('ghost', { command: ['no-such-program-here'] }),
      processObject('web'),
    ]);
    const notes: string[] = [];
    const mesh = await Mesh.open(bench.options, { ...quiet, onNote: (text) => notes.push(text) });
    context.after(() => mesh.stop());
    await mesh.start();
    await until('the other one', () => entryOf(mesh, 'web'));
    await until('the note', () =>
      notes.some((note) => /ghost.*no-such-program-here was not found on the PATH/.test(note)),
    );
  });
});

/** A mesh in a process of its own, whose program has the folder in its command line. */
async function superviseMarked(bench: Bench): Promise<{ supervisor: ChildProcess; gone: Promise<unknown> }> {
  const marked = processObject('web', { command: ['node', testdata('app.mjs'), bench.folder] });
  writeFileSync(join(bench.folder, 'objects.json'), JSON.stringify([marked]));
  const supervisor = spawn(process.execPath, [testdata('run-mesh.mjs'), JSON.stringify(bench.options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = new Promise((resolve) => supervisor.once('exit', resolve));
  await new Promise((resolve) => supervisor.stdout?.once('data', resolve));
  return { supervisor, gone };
}

/** Running processes that name the folder, the mesh's own aside. */
function processesOf(folder: string): { pid: number; parent: number; args: string }[] {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  return lines
    .filter((line) => line.includes(folder) && !line.includes('run-mesh.mjs'))
    .map((line) => {
      const [pid = '', parent = '', ...args] = line.trim().split(/\s+/);
      return { pid: Number(pid), parent: Number(parent), args: args.join(' ') };
    });
}

/** Command lines of processes that name the folder: by their arguments or their open working folder. */
function processesMentioning(folder: string): string[] {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'args='], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(folder) && !line.includes('run-mesh.mjs'));
}

describe('a client of the running mesh', () => {
  it('is refused without the token', async (context) => {
    const bench = makeBench(context, []);
    await startMesh(context, bench);
    const wrong = join(bench.folder, 'wrong-token');
    writeFileSync(wrong, 'wrong');
    const client = clientFor(runFile(bench).api, wrong);
    context.after(() => client.close());
    await assert.rejects(client.list(kindInfo('Process')), { code: 'WEFT0808' });
  });
});
