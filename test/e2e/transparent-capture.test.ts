// Transparent capture in real network namespaces: the rules of `weft capture`, a proxy under a user of its own, and clients and
// servers that know nothing of it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../kit/until.ts';
import { captureBootstrap } from './capture-bootstrap.ts';
import { envoy, outside, Scene, type Setting, service, weftProxy, whyNot, workload } from './capture-scene.ts';
import { whyNoRules } from './network-namespace.ts';

const settings: readonly Setting[] = [
  { backend: 'nft', mode: 'redirect', program: weftProxy },
  { backend: 'nft', mode: 'tproxy', program: weftProxy },
  { backend: 'iptables', mode: 'redirect', program: weftProxy },
  { backend: 'iptables', mode: 'tproxy', program: weftProxy },
  { backend: 'nft', mode: 'redirect', program: weftProxy, workers: 2 },
  { backend: 'nft', mode: 'tproxy', program: weftProxy, workers: 2 },
  // What is expected of ours is what Envoy does.
  { backend: 'nft', mode: 'redirect', program: envoy },
  { backend: 'nft', mode: 'tproxy', program: envoy },
];

if (whyNot !== null) console.log(`skipped: transparent capture end to end: ${whyNot}`);

describe('transparent capture end to end', { skip: whyNot ?? false }, () => {
  for (const setting of settings) {
    const { backend, mode, program, workers = 1 } = setting;
    const name = `${mode} by ${backend} to ${program.name}${workers === 1 ? '' : `, ${workers} workers`}`;
    const missing = program.skip || whyNoRules(backend) || false;
    if (missing !== false) console.log(`skipped: ${name}: ${missing}`);
    test(name, { skip: missing }, async (context) => {
      const scene = await Scene.make(context, setting, (logPath) =>
        captureBootstrap({
          logPath,
          service,
          endpoint: outside.v4,
          ownEndpoint: workload.v4,
          isTransparent: mode === 'tproxy',
          hasBlackHoles: program === envoy,
        }),
      );
      const before = scene.rules();
      scene.install(setting);
      const rules = scene.rules();
      scene.install(setting);
      assert.equal(scene.rules(), rules, 'installing twice is installing once');
      await outbound(scene);
      inbound(scene);
      if (workers > 1) everyWorker(scene, workers);
      await loops(scene);
      assert.equal(scene.capture('remove').status, 0);
      assert.equal(scene.rules(), before, 'nothing is left behind');
      direct(scene);
    });
  }
});

async function outbound(scene: Scene): Promise<void> {
  const [v4, v6, named, wildcard, excluded, excludedPort] = scene.get(
    'inside',
    `http://${outside.v4}:8080/`,
    `http://[${outside.v6}]:8080/`,
    `http://${service}/`,
    `http://${outside.v4}:8081/`,
    `http://${outside.excluded}:8080/`,
    `http://${outside.v4}:8082/`,
  );
  const reached = (local: string, remote: string) => ({ status: 200, server: 'outside', local, remote });
  assert.deepEqual(v4, { via: '', ...reached(outside.v4, workload.v4) });
  await scene.logged('outbound', `${outside.v4}:8080`);
  assert.deepEqual(v6, { via: '', ...reached(outside.v6, workload.v6) });
  await scene.logged('outbound', `[${outside.v6}]:8080`);
  assert.deepEqual(named, { via: 'service', ...reached(outside.v4, workload.v4) }, 'the listener of the exact address');
  assert.equal(wildcard?.via, 'wildcard', 'the listener of the port');
  assert.deepEqual(excluded, { via: '', ...reached(outside.excluded, workload.v4) });
  assert.deepEqual(excludedPort, { via: '', ...reached(outside.v4, workload.v4) });
  assert.ok(!scene.log().includes(outside.excluded) && !scene.log().includes(':8082'), 'excluded is not captured');
}

function inbound(scene: Scene): void {
  const [v4, v6, excluded] = scene.get(
    'outside',
    `http://${workload.v4}:9090/`,
    `http://[${workload.v6}]:9090/`,
    `http://${workload.v4}:9091/`,
  );
  const reached = (via: string, local: string, remote: string) => ({ status: 200, via, server: 'app', local, remote });
  assert.deepEqual(v4, reached('inbound', workload.v4, '127.0.0.6'));
  assert.deepEqual(v6, reached('inbound', workload.v6, '::6'));
  assert.deepEqual(excluded, reached('', workload.v4, outside.v4));
  const [itself, throughService] = scene.get('inside', `http://${workload.v4}:9090/`, `http://${service}:81/`);
  assert.deepEqual(itself, reached('', workload.v4, workload.v4), 'to itself without a proxy');
  assert.deepEqual(
    throughService,
    reached('inbound, itself', workload.v4, '127.0.0.6'),
    'by its service through both sides',
  );
}

/** Connections enough for each worker to have some: both ways, all of them know where they were to go. */
function everyWorker(scene: Scene, workers: number): void {
  const many = (url: string): string[] => new Array<string>(32).fill(url);
  for (const answer of scene.get('inside', ...many(`http://${outside.v4}:8080/`)))
    assert.deepEqual([answer.status, answer.server, answer.local], [200, 'outside', outside.v4]);
  for (const answer of scene.get('inside', ...many(`http://${service}/`))) assert.equal(answer.via, 'service');
  for (const answer of scene.get('outside', ...many(`http://${workload.v4}:9090/`)))
    assert.deepEqual([answer.via, answer.local, answer.remote], ['inbound', workload.v4, '127.0.0.6']);
  const stats = [...scene.stats()];
  for (const port of [15_001, 15_006]) {
    for (let worker = 0; worker < workers; worker++) {
      const [, accepted] = stats.find(([name]) => name.endsWith(`_${port}.worker_${worker}.downstream_cx_total`)) ?? [];
      assert.ok((accepted ?? 0) > 0, `worker ${worker} at ${port}`);
    }
  }
}

/** Who asks a port of capture itself is turned away at once. */
async function loops(scene: Scene): Promise<void> {
  const answers = [
    ...scene.get('inside', 'http://127.0.0.1:15001/', `http://${workload.v4}:15001/`, 'http://127.0.0.1:15006/'),
    ...scene.get(
      'outside',
      `http://${workload.v4}:15001/`,
      `http://${workload.v4}:15006/`,
      `http://[${workload.v6}]:15006/`,
    ),
  ];
  for (const answer of answers) assert.equal(answer.status, 0, JSON.stringify(answer));
  const lines = (): string[] =>
    scene
      .log()
      .split('\n')
      .filter((line) => /^\S+ \S+:1500[16] /.test(line));
  await until('the log is complete', () => lines().length >= answers.length);
  assert.equal(lines().length, answers.length, `none went on from there: ${lines().join('\n')}`);
}

function direct(scene: Scene): void {
  const lines = scene.log();
  const [out] = scene.get('inside', `http://${outside.v4}:8080/`);
  const [back] = scene.get('outside', `http://${workload.v4}:9090/`);
  assert.deepEqual([out?.via, out?.remote, back?.via, back?.remote], ['', workload.v4, '', outside.v4]);
  assert.equal(scene.log(), lines, 'the proxy has seen none of it');
}
