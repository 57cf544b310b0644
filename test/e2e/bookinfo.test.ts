// The example on a real mesh: every routing case of the tour, policies, failures, and the life of the mesh itself.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, RunningMesh } from './running-mesh.ts';
import { SteadyVisitor, Visitor } from './visitor.ts';

const example = fileURLToPath(new URL('../../examples/bookinfo', import.meta.url));

describe('Bookinfo on a mesh of this machine', () => {
  const mesh = new RunningMesh(example);
  const folder = mkdtempSync(join(tmpdir(), 'weft-rules-'));
  let anyone: Visitor;
  let jason: Visitor;

  before(async () => {
    await mesh.start();
    anyone = new Visitor(mesh.page);
    jason = new Visitor(mesh.page);
    await jason.signIn('jason');
  });

  after(async () => {
    await mesh.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Writes rules of a test's own; the path to apply. */
  const write = (name: string, text: string): string => {
    const path = join(folder, `${name}.yaml`);
    writeFileSync(path, text);
    return path;
  };

  it('says where to click, and describes itself in run.json', () => {
    const { run } = mesh;
    assert.match(mesh.log, /Open:\n {2}http:\/\/localhost:\d+\/productpage/);
    assert.equal(run.pid, mesh.pid);
    assert.deepEqual(
      run.workloads.map((workload) => workload.name),
      ['istio-ingressgateway', 'details-v1', 'productpage-v1', 'ratings-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3'],
    );
    for (const { log, admin } of run.workloads.slice(1)) {
      assert.ok(existsSync(log), log);
      assert.match(admin, /^http:\/\/127\.0\.0\.1:\d+$/);
    }
  });

  it('spreads calls over all three versions without any rule', async () => {
    const counts = await anyone.count(60);
    assert.deepEqual(Object.keys(counts).sort(), ['reviews-v1', 'reviews-v2', 'reviews-v3']);
  });

  it('shows black stars with v2 and red stars with v3', async () => {
    const stars = new Map<string, string>();
    await eventually('all versions were seen', async () => {
      const view = await anyone.look();
      stars.set(view.servedBy, view.stars);
      return stars.size === 3;
    });
    assert.deepEqual(Object.fromEntries(stars), { 'reviews-v1': 'none', 'reviews-v2': 'black', 'reviews-v3': 'red' });
  });

  it('keeps paths that the gateway does not name away from the outside', async () => {
    const answer = await fetch(new URL('/health', mesh.page));
    assert.equal(answer.status, 404);
    assert.match(answer.headers.get('x-weft-decision') ?? '', /./);
  });

  it('is in sync everywhere, with certificates, and has nothing to complain about', async () => {
    const status = await mesh.weft('status', '-o', 'json');
    assert.equal(status.status, 0, status.err);
    for (const proxy of JSON.parse(status.out)) {
      assert.ok(proxy.isConnected && proxy.isInSync, proxy.name);
      assert.ok(Date.parse(proxy.certificateExpiresAt) > Date.now(), proxy.name);
    }
    assert.deepEqual(await mesh.weft('analyze'), { status: 0, out: 'no findings\n', err: '' });
  });

  it('sends everyone to v1 (virtual-service-all-v1)', async () => {
    await mesh.apply('destination-rule-all', 'virtual-service-all-v1');
    assert.deepEqual(await anyone.count(20), { 'reviews-v1': 20 });
  });

  it('sends jason to v2 and others to v1 (virtual-service-reviews-test-v2)', async () => {
    await mesh.apply('virtual-service-reviews-test-v2');
    assert.equal((await jason.look()).user, 'jason');
    assert.deepEqual(await jason.count(10), { 'reviews-v2': 10 });
    assert.deepEqual(await anyone.count(10), { 'reviews-v1': 10 });
  });

  it('lets jason wait 6 s and go without reviews when ratings is 7 s late (virtual-service-ratings-test-delay)', async () => {
    await mesh.apply('virtual-service-ratings-test-delay');
    const [slow, quick] = await Promise.all([jason.look(), anyone.look()]);
    assert.deepEqual(slow.failures, ['reviews']);
    assert.ok(slow.tookMs > 5900 && slow.tookMs < 9000, `${slow.tookMs} ms`);
    assert.deepEqual(quick.failures, []);
    assert.ok(quick.tookMs < 2000, `${quick.tookMs} ms`);
  });

  it('shows jason reviews without stars when ratings fails (virtual-service-ratings-test-abort)', async () => {
    await mesh.apply('virtual-service-ratings-test-abort');
    const view = await jason.look();
    assert.deepEqual(view.failures, ['ratings', 'ratings']);
    assert.equal(view.servedBy, 'reviews-v2');
    assert.match(view.html, /ratings are currently unavailable/);
    assert.deepEqual((await anyone.look()).failures, []);
  });

  it('sends one call in ten to v2 (virtual-service-reviews-90-10)', async () => {
    await mesh.apply('virtual-service-reviews-90-10');
    const { 'reviews-v1': v1 = 0, 'reviews-v2': v2 = 0 } = await anyone.count(200);
    assert.equal(v1 + v2, 200);
    // Four standard deviations to each side of 20.
    assert.ok(v2 >= 3 && v2 <= 37, `${v2} of 200`);
  });

  it('sends half of the calls to v3 (virtual-service-reviews-50-v3)', async () => {
    await mesh.apply('virtual-service-reviews-50-v3');
    const { 'reviews-v1': v1 = 0, 'reviews-v3': v3 = 0 } = await anyone.count(100);
    assert.equal(v1 + v3, 100);
    assert.ok(v3 >= 30 && v3 <= 70, `${v3} of 100`);
  });

  it('sends everyone to v3 (virtual-service-reviews-v3)', async () => {
    await mesh.apply('virtual-service-reviews-v3');
    assert.deepEqual(await anyone.count(20), { 'reviews-v3': 20 });
  });

  it('sends jason to v2 and others to v3 (virtual-service-reviews-jason-v2-v3)', async () => {
    await mesh.apply('virtual-service-reviews-jason-v2-v3');
    assert.deepEqual(await jason.count(10), { 'reviews-v2': 10 });
    assert.deepEqual(await anyone.count(10), { 'reviews-v3': 10 });
  });

  it('fails details for everyone, and the rest of the page stays (fault-injection-details-v1)', async () => {
    await mesh.apply('fault-injection-details-v1');
    const view = await anyone.look();
    assert.deepEqual(view.failures, ['details']);
    assert.equal(view.status, 200);
  });

  it('loses no request while routes change', async () => {
    await mesh.apply('virtual-service-all-v1');
    const visitor = new SteadyVisitor(mesh.page);
    for (let round = 0; round < 4; round++) {
      await mesh.apply('virtual-service-reviews-v3');
      await mesh.apply('virtual-service-reviews-90-10');
    }
    await visitor.stop();
    assert.deepEqual(visitor.problems, []);
    assert.ok(visitor.views > 20, `${visitor.views} views`);
  });

  it('refuses what has an error, naming file and line, and changes nothing', async () => {
    await mesh.apply('virtual-service-all-v1');
    const path = write(
      'bad',
      `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - route: [{ destination: { host: reviews, subset: v3 } }]
      timeout: soon
`,
    );
    const { status, err } = await mesh.weft('apply', '-f', path);
    assert.equal(status, 1);
    assert.match(
      err,
      new RegExp(`${path}:8: error WEFT\\d{4} VirtualService/default/reviews spec\\.http\\[0\\]\\.timeout`),
    );
    assert.deepEqual(await anyone.count(6), { 'reviews-v1': 6 });
  });

  it('shows what a sidecar was told', async () => {
    const { out } = await mesh.weft('proxy-config', 'productpage-v1', 'clusters', '-o', 'json');
    const names = JSON.parse(out).map((cluster: { name: string }) => cluster.name);
    assert.ok(names.includes('outbound|9080|v1|reviews.default.svc.cluster.local'), names.join(' '));
    const all = JSON.parse((await mesh.weft('proxy-config', 'reviews-v2', 'all', '-o', 'json')).out);
    for (const part of ['listeners', 'routes', 'clusters', 'endpoints', 'secrets'])
      assert.ok(all[part].length > 0, part);
    assert.ok(!JSON.stringify(all.secrets).includes('PRIVATE KEY'));
  });

  it('refuses plain text at a sidecar: mutual TLS is on from the start', async () => {
    const { out } = await mesh.weft('get', 'workloadentry', 'ratings-v1', '-o', 'json');
    const port = JSON.parse(out).spec.ports.http;
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.write('GET /ratings/0 HTTP/1.1\r\nHost: ratings:9080\r\n\r\n');
    await once(socket, 'close');
    assert.ok(!answer.includes('200 OK'), answer);
  });

  it('lets only the named identity in, and explains each refusal', async () => {
    const path = write(
      'authorization',
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ratings }
spec:
  selector: { matchLabels: { app: ratings } }
  rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/somebody-else] } }] }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: productpage }
spec:
  selector: { matchLabels: { app: productpage } }
  action: DENY
  rules: [{ to: [{ operation: { paths: [/logout] } }] }]
`,
    );
    await mesh.apply(path, 'virtual-service-reviews-v3');
    try {
      // A connection that was open goes on by the old rules until its next answer closes it.
      await eventually('ratings is closed', async () => (await anyone.look()).failures.join() === 'ratings,ratings');
      await eventually('logging out is forbidden', async () => {
        return (await fetch(new URL('/logout', mesh.page), { redirect: 'manual' })).status === 403;
      });
    } finally {
      await mesh.weft('delete', '-f', path);
    }
    await eventually('ratings is open again', async () => (await anyone.look()).failures.length === 0);
  });

  it('enforces a policy at the gateway, and explains its refusal down to the line', async () => {
    const path = write(
      'edge',
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  action: DENY
  rules:
    - to: [{ operation: { methods: [DELETE] } }]
    - to: [{ operation: { paths: [/login] } }]
`,
    );
    await mesh.apply(path);
    try {
      const answer = await fetch(new URL('/login', mesh.page), { redirect: 'manual' });
      assert.equal(answer.status, 403);
      const { out } = await mesh.weft('explain', answer.headers.get('x-weft-decision') ?? '');
      assert.match(out, /spec\.rules\[1\] of AuthorizationPolicy\/istio-system\/edge \(\S+edge\.yaml:9\)/);
      assert.equal((await anyone.look()).failures.length, 0);
    } finally {
      await mesh.weft('delete', '-f', path, '-n', 'istio-system');
    }
  });

  it('explains a reply that it made itself, down to the line', async () => {
    await mesh.apply('fault-injection-details-v1');
    const id = (await fetch(new URL('/nothing-here', mesh.page))).headers.get('x-weft-decision') ?? '';
    const { status, out, err } = await mesh.weft('explain', id);
    assert.equal(status, 0, err);
    assert.match(out, /istio-ingressgateway/);
    assert.match(out, /Gateway\/default\/bookinfo-gateway \(\S+\.yaml:\d+\)/);
    const unknown = await mesh.weft('explain', 'none-1');
    assert.equal(unknown.status, 1);
    await mesh.apply('virtual-service-all-v1');
  });

  it('joins a process by weft run, sends calls there, and lets it go', async () => {
    await mesh.weft('delete', 'vs/reviews', 'vs/ratings', 'vs/details', 'vs/productpage');
    const env = { SERVICE_VERSION: 'v4', ENABLE_RATINGS: 'true', STAR_COLOR: 'red' };
    const command = [
      'run',
      '--service',
      'reviews',
      '--version',
      'v4',
      '--port',
      '9080',
      '--',
      'node',
      join(example, 'reviews.mjs'),
    ];
    const joined = mesh.spawn(command, env);
    await eventually('v4 answers', async () => (await anyone.look()).servedBy === 'reviews-v4');
    await eventually('run.json names it', () => mesh.run.workloads.some(({ name }) => name.startsWith('reviews-v4-')));
    const exited = once(joined, 'exit');
    joined.kill('SIGINT');
    assert.deepEqual(await exited, [0, null]);
    const counts = await anyone.count(40);
    assert.equal(counts['reviews-v4'], undefined);
    assert.equal(counts.none, undefined);
  });

  it('follows a Process that is applied, scaled and deleted', async () => {
    const process = (replicas: number) =>
      write(
        'process',
        `apiVersion: weft.dev/v1alpha1
kind: Process
metadata: { name: reviews-v5, labels: { app: reviews, version: v5 } }
spec:
  command: [node, ${example}/reviews.mjs]
  ports: [{ name: http, port: 9080 }]
  env: { SERVICE_VERSION: v5 }
  replicas: ${replicas}
  readiness: { httpGet: { path: /health } }
`,
      );
    await mesh.weft('apply', '-f', process(2));
    await eventually('v5 answers', async () => (await anyone.look()).servedBy === 'reviews-v5');
    await eventually(
      'both replicas run',
      () => mesh.run.workloads.filter(({ name }) => name.startsWith('reviews-v5')).length === 2,
    );
    const visitor = new SteadyVisitor(mesh.page);
    await mesh.weft('delete', '-f', process(2));
    await eventually('it is gone', () => mesh.run.workloads.every(({ name }) => !name.startsWith('reviews-v5')));
    await visitor.stop();
    assert.deepEqual(visitor.problems, []);
    assert.equal((await anyone.count(20))['reviews-v5'], undefined);
  });

  it('goes on serving without the control plane, and has it back', async () => {
    const visitor = new SteadyVisitor(mesh.page);
    const killed = mesh.kill('control-plane/main.mjs');
    await eventually('another control plane runs', () =>
      mesh.processes('control-plane/main.mjs').some(({ pid }) => pid !== killed),
    );
    await eventually('every proxy is connected again', async () => (await mesh.weft('status')).status === 0);
    await mesh.apply('virtual-service-all-v1');
    await visitor.stop();
    assert.deepEqual(visitor.problems, []);
    assert.deepEqual(await anyone.count(10), { 'reviews-v1': 10 });
  });

  it('heals after kill -9 of a sidecar and of a program, while other workloads serve', async () => {
    await mesh.apply('virtual-service-reviews-jason-v2-v3');
    const visitor = new SteadyVisitor(mesh.page);
    for (const victim of ['default.reviews-v2/bootstrap.json', 'default.reviews-v1/bootstrap.json']) {
      const killed = mesh.kill(victim);
      await eventually('it runs again', () => mesh.processes(victim).some(({ pid }) => pid !== killed));
    }
    await visitor.stop();
    assert.deepEqual(visitor.problems, [], 'v3 was not concerned');
    await eventually('jason sees v2 again', async () => (await jason.look()).servedBy === 'reviews-v2');

    mesh.kill('ratings.mjs');
    await eventually('stars are back', async () => {
      const view = await anyone.look();
      return view.failures.length === 0 && view.stars === 'red';
    });
    const { ingress } = mesh.run;
    mesh.kill('istio-ingressgateway/bootstrap.json');
    await eventually('the gateway is back', async () => (await anyone.look().catch(() => null))?.status === 200);
    assert.equal(mesh.run.ingress, ingress);
    const status = await eventually('all in sync', async () => {
      const outcome = await mesh.weft('status');
      return outcome.status === 0 ? outcome : null;
    });
    assert.equal(status.status, 0);
  });

  it('refuses a second mesh in the same state folder', async () => {
    const { status, err } = await mesh.weft('up', example, '--ingress-port', '0', '--api-port', '0');
    assert.equal(status, 1);
    assert.match(err, new RegExp(`WEFT0802: a mesh is already running here \\(weft up, pid ${mesh.pid}\\)`));
  });

  it('keeps what was applied over a restart, and leaves nothing running in between', async () => {
    await mesh.apply('virtual-service-reviews-v3');
    assert.equal(await mesh.stop('SIGINT'), 0);
    assert.equal(mesh.isAnnounced, false);
    assert.deepEqual(mesh.processes(), []);
    await mesh.start();
    assert.deepEqual(await new Visitor(mesh.page).count(8), { 'reviews-v3': 8 });
  });

  it('ends all of its processes when weft up is killed with -9, and can be started again', async () => {
    await mesh.stop('SIGKILL');
    await eventually('every process is gone', () => mesh.processes().length === 0);
    assert.equal((await mesh.weft('get', 'vs')).status, 3);
    await mesh.start();
    assert.equal((await new Visitor(mesh.page).look()).status, 200);
  });
});
