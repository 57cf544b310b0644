// The discovery service as its clients see it: order, what is sent again and what is not, refusals, reconnects.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Settings } from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { DeltaClient, namesOf, SotwClient, sidecarNode, typeUrl } from './ads-client.ts';
import { AdsUnderTest } from './ads-under-test.ts';

const service = (name: string) => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ name: http, port: 9080 }], selector: { app: ${name} } }`;

const endpoint = (name: string, app: string, port: number) => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: { address: 127.0.0.1, ports: { http: ${port} }, labels: { app: ${app} } }`;

const capture = { WEFT_LOCAL: { capture: { port: 15100 } } };
const always = ['BlackHoleCluster', 'PassthroughCluster', 'capture_tunnel'];
const cluster = (name: string) => `outbound|9080||${name}.default.svc.cluster.local`;

describe('state of the world', () => {
  const mesh = new AdsUnderTest();
  before(() => mesh.start());
  after(() => mesh.stop());

  test('answers each type that is asked for, with the revision as its version', async () => {
    const revision = mesh.apply(service('reviews'), endpoint('r1', 'reviews', 1001));
    const client = new SotwClient(mesh.address, sidecarNode('a', capture));
    client.ask(typeUrl.cds);
    const clusters = await client.next();
    assert.equal(clusters.versionInfo, String(revision));
    assert.deepEqual(namesOf(clusters), [...always, cluster('reviews')].sort());
    client.ack(clusters);
    client.ask(typeUrl.lds);
    const listeners = await client.next();
    assert.deepEqual(namesOf(listeners), ['capture', 'capture_tunnel']);
    client.ack(listeners);
    client.ask(typeUrl.rds, ['capture']);
    assert.deepEqual(namesOf(await client.next()), ['capture']);
    client.ask(typeUrl.eds, [cluster('reviews')]);
    assert.deepEqual(namesOf(await client.next()), [cluster('reviews')]);
    client.close();
  });

  test('takes a hundred streams of one connection', async () => {
    const session = connect(`http://${mesh.address}`);
    const [settings] = (await once(session, 'remoteSettings')) as [Settings];
    assert.equal(settings.maxConcurrentStreams, 100);
    session.destroy();
  });

  test('sends endpoints alone when only endpoints changed', async () => {
    mesh.apply(service('reviews'), endpoint('r1', 'reviews', 1001));
    const client = new SotwClient(mesh.address, sidecarNode('a', capture));
    client.ask(typeUrl.cds);
    client.ack(await client.next());
    client.ask(typeUrl.eds, [cluster('reviews')]);
    client.ack(await client.next(), [cluster('reviews')]);
    const revision = mesh.apply(service('reviews'), endpoint('r1', 'reviews', 1001), endpoint('r2', 'reviews', 1002));
    const response = await client.next();
    assert.equal(response.typeUrl, typeUrl.eds);
    assert.equal(response.versionInfo, String(revision));
    client.ack(response, [cluster('reviews')]);
    assert.deepEqual(await mesh.ads.waitForRevision(revision, 5000), {
      ready: ['sidecar~127.0.0.1~a.default~default.svc.cluster.local'],
      missing: [],
    });
    assert.equal(client.waiting, 0);
    client.close();
  });

  test('keeps a removed cluster until the routes that used it are accepted as gone', async () => {
    mesh.apply(service('reviews'), service('ratings'));
    const client = new SotwClient(mesh.address, sidecarNode('a', capture));
    client.ask(typeUrl.cds);
    client.ack(await client.next());
    client.ask(typeUrl.lds);
    client.ack(await client.next());
    client.ask(typeUrl.rds, ['capture']);
    client.ack(await client.next(), ['capture']);
    mesh.apply(service('reviews'));
    const routes = await client.next();
    assert.equal(routes.typeUrl, typeUrl.rds, 'routes come before the removal');
    client.ack(routes, ['capture']);
    const clusters = await client.next();
    assert.equal(clusters.typeUrl, typeUrl.cds);
    assert.ok(!namesOf(clusters).includes(cluster('ratings')));
    client.close();
  });

  test('sends one response at a time and makes up for what changed meanwhile', async () => {
    mesh.apply(service('reviews'));
    const client = new SotwClient(mesh.address, sidecarNode('a', capture));
    client.ask(typeUrl.cds);
    const first = await client.next();
    for (let round = 0; round < 20; round++) mesh.apply(service('reviews'), service(`s${round}`));
    const last = mesh.apply(service('reviews'), service('last'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(client.waiting, 0);
    client.ack(first);
    const second = await client.next();
    assert.equal(second.versionInfo, String(last));
    assert.ok(namesOf(second).includes(cluster('last')));
    client.close();
  });

  test('remembers a refusal with its reason and does not send the same again', async () => {
    mesh.apply(service('reviews'));
    const client = new SotwClient(mesh.address, sidecarNode('refuser', capture));
    client.ask(typeUrl.cds);
    client.nack(await client.next(), 'cluster reviews: no');
    const revision = mesh.apply(service('reviews'), endpoint('r1', 'reviews', 1001));
    const outcome = await mesh.ads.waitForRevision(revision, 5000, ({ workload }) => workload === 'refuser');
    assert.match(outcome.missing[0]?.reason ?? '', /refused CDS of revision \d+: cluster reviews: no/);
    assert.equal(client.waiting, 0);
    const status = mesh.ads.statuses().find(({ workload }) => workload === 'refuser');
    assert.equal(status?.lastNack?.type, 'cds');
    mesh.apply(service('reviews'), service('ratings'));
    assert.ok(namesOf(await client.next()).includes(cluster('ratings')), 'something new is sent again');
    client.close();
  });

  test('sends endpoints again for a cluster that was replaced', async () => {
    const rule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, trafficPolicy: { loadBalancer: { simple: RANDOM } } }`;
    mesh.apply(service('reviews'));
    const client = new SotwClient(mesh.address, sidecarNode('a', capture));
    client.ask(typeUrl.cds);
    client.ack(await client.next());
    client.ask(typeUrl.eds, [cluster('reviews')]);
    client.ack(await client.next(), [cluster('reviews')]);
    mesh.apply(service('reviews'), rule);
    assert.equal((await client.next()).typeUrl, typeUrl.cds);
    assert.equal((await client.next()).typeUrl, typeUrl.eds);
    client.close();
  });

  test('answers a type it does not know with nothing', async () => {
    mesh.apply(service('reviews'));
    const client = new SotwClient(mesh.address, sidecarNode('a', capture));
    client.ask('type.googleapis.com/envoy.service.runtime.v3.Runtime');
    assert.deepEqual(namesOf(await client.next()), []);
    client.close();
  });

  test('ends a stream whose node it cannot read, and says why', async () => {
    const client = new SotwClient(mesh.address, { id: 'envoy-1' });
    client.ask(typeUrl.cds);
    const { code, details } = await client.over;
    assert.equal(code, 3);
    assert.match(details, /WEFT0601.*'envoy-1'/);
    const other = new SotwClient(mesh.address, sidecarNode('a', { WEFT_LOCAL: { capture: { port: 'x' } } }));
    other.ask(typeUrl.cds);
    assert.match((await other.over).details, /WEFT0602.*node\.metadata\.WEFT_LOCAL\.capture\.port/);
  });

  test('ends a stream that carries no message, and keeps serving others', async () => {
    mesh.apply(service('reviews'));
    const broken = new SotwClient(mesh.address, sidecarNode('a', capture));
    broken.sendBytes(Buffer.from([0xff, 0xff, 0xff]));
    const { code, details } = await broken.over;
    assert.equal(code, 3);
    assert.match(details, /WEFT0604/);
    const client = new SotwClient(mesh.address, sidecarNode('b', capture));
    client.ask(typeUrl.cds);
    await client.next();
    client.close();
  });
});

test('counts the newest stream of a proxy that came back, and remembers one that went', async () => {
  const mesh = new AdsUnderTest();
  await mesh.start();
  mesh.apply(service('reviews'));
  const old = new SotwClient(mesh.address, sidecarNode('a', capture));
  old.ask(typeUrl.cds);
  await old.next();
  const fresh = new SotwClient(mesh.address, sidecarNode('a', capture));
  fresh.ask(typeUrl.cds);
  fresh.ack(await fresh.next());
  assert.equal((await mesh.ads.waitForRevision(1, 5000)).missing.length, 0, 'the old stream never answered');
  old.close();
  fresh.close();
  while (mesh.ads.statuses()[0]?.isConnected) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    mesh.ads.statuses().map(({ workload, isConnected }) => [workload, isConnected]),
    [['a', false]],
  );
  mesh.stop();
});

describe('incremental', () => {
  const mesh = new AdsUnderTest();
  before(() => mesh.start());
  after(() => mesh.stop());

  test('sends what changed and names what is gone, only after its users went', async () => {
    mesh.apply(service('reviews'), service('ratings'));
    const client = new DeltaClient(mesh.address, sidecarNode('a', capture));
    client.send({ typeUrl: typeUrl.cds });
    client.ack(await client.next());
    client.send({ typeUrl: typeUrl.lds });
    client.ack(await client.next());
    client.send({ typeUrl: typeUrl.rds, resourceNamesSubscribe: ['capture'] });
    client.ack(await client.next());
    mesh.apply(service('reviews'), service('details'));
    const added = await client.next();
    assert.deepEqual(namesOf(added), [cluster('details')]);
    assert.deepEqual(added.removedResources ?? [], []);
    client.ack(added);
    const routes = await client.next();
    assert.deepEqual(namesOf(routes), ['capture']);
    client.ack(routes);
    const removed = await client.next();
    assert.deepEqual(removed.removedResources, [cluster('ratings')]);
    client.close();
  });

  test('spares a client that comes back what it already has', async () => {
    mesh.apply(service('reviews'), service('ratings'));
    const first = new DeltaClient(mesh.address, sidecarNode('a', capture));
    first.send({ typeUrl: typeUrl.cds });
    const all = await first.next();
    const versions = Object.fromEntries((all.resources ?? []).map(({ name, version }) => [name ?? '', version ?? '']));
    first.close();
    mesh.apply(service('reviews'), service('ratings'), service('details'));
    const second = new DeltaClient(mesh.address, sidecarNode('a', capture));
    second.send({ typeUrl: typeUrl.cds, initialResourceVersions: { ...versions, stale: '1' } });
    second.send({ typeUrl: typeUrl.lds });
    const changed = await second.next();
    assert.deepEqual(namesOf(changed), [cluster('details')]);
    second.ack(changed);
    const listeners = await second.next();
    assert.equal(listeners.typeUrl, typeUrl.lds);
    second.ack(listeners);
    assert.deepEqual((await second.next()).removedResources, ['stale']);
    second.close();
  });

  test("names what does not exist as removed, but keeps silent about secrets that are the client's own", async () => {
    mesh.apply(service('reviews'));
    const client = new DeltaClient(mesh.address, sidecarNode('a', capture));
    client.send({ typeUrl: typeUrl.sds, resourceNamesSubscribe: ['default', 'ROOTCA'] });
    client.send({ typeUrl: typeUrl.rds, resourceNamesSubscribe: ['capture', 'nothing'] });
    const routes = await client.next();
    assert.equal(routes.typeUrl, typeUrl.rds);
    assert.deepEqual(namesOf(routes), ['capture']);
    assert.deepEqual(routes.removedResources, ['nothing']);
    client.close();
  });

  test('stops sending what is unsubscribed, and sends again what is asked for again', async () => {
    mesh.apply(service('reviews'), service('ratings'));
    const client = new DeltaClient(mesh.address, sidecarNode('a', capture));
    client.send({ typeUrl: typeUrl.eds, resourceNamesSubscribe: [cluster('reviews'), cluster('ratings')] });
    client.ack(await client.next());
    client.send({ typeUrl: typeUrl.eds, resourceNamesUnsubscribe: [cluster('ratings')] });
    client.send({ typeUrl: typeUrl.eds, resourceNamesSubscribe: [cluster('reviews')] });
    assert.deepEqual(namesOf(await client.next()), [cluster('reviews')]);
    client.close();
  });

  test('sends nothing more to a client that answers what it has not read', async () => {
    mesh.apply(service('reviews'));
    const client = new DeltaClient(mesh.address, sidecarNode('a', capture));
    client.send({ typeUrl: typeUrl.cds });
    const first = await client.next();
    const again = { typeUrl: typeUrl.eds, resourceNamesSubscribe: [cluster('reviews')] };
    client.send(again);
    for (let ahead = 1; ahead <= 3; ahead++) {
      client.send({ ...again, responseNonce: String(Number(first.nonce) + ahead) });
    }
    await client.next();
    client.send({ typeUrl: typeUrl.lds });
    assert.equal((await client.next()).typeUrl, typeUrl.lds);
    client.close();
  });

  test('ends a stream that says it has more resources than any mesh gives', async () => {
    mesh.apply(service('reviews'));
    const client = new DeltaClient(mesh.address, sidecarNode('a', capture));
    const initialResourceVersions = Object.fromEntries(Array.from({ length: 200_001 }, (_, i) => [`${i}`, '1']));
    client.send({ typeUrl: typeUrl.cds, initialResourceVersions });
    const { details } = await client.over;
    assert.match(details, /^WEFT0605: more than 200000 resource names/);
    client.close();
  });

  test('ends a stream that has a few names kept, each of them huge', async () => {
    mesh.apply(service('reviews'));
    const client = new DeltaClient(mesh.address, sidecarNode('a', capture));
    for (let i = 0; i < 3; i++) {
      const resourceNamesSubscribe = Array.from({ length: 6 }, (_, j) => `${i} ${j}`.padEnd(1024 * 1024, 'x'));
      client.send({ typeUrl: typeUrl.rds, resourceNamesSubscribe });
    }
    assert.match((await client.over).details, /^WEFT0605: resource names of more than \d+ characters/);
    client.close();
  });

  test('counts names that are asked for no longer no more', async () => {
    mesh.apply(service('reviews'));
    const client = new DeltaClient(mesh.address, sidecarNode('a', capture));
    for (let i = 0; i < 3; i++) {
      const names = Array.from({ length: 6 }, (_, j) => `${i} ${j}`.padEnd(1024 * 1024, 'x'));
      client.send({ typeUrl: typeUrl.rds, resourceNamesSubscribe: names });
      client.send({ typeUrl: typeUrl.rds, resourceNamesUnsubscribe: names });
    }
    client.send({ typeUrl: typeUrl.lds });
    for (let type = ''; type !== typeUrl.lds; ) type = (await client.next()).typeUrl ?? '';
    client.close();
  });

  test('ends a stream that asks for a type with a huge name, or is of a node with one', async () => {
    mesh.apply(service('reviews'));
    const client = new DeltaClient(mesh.address, sidecarNode('a', capture));
    client.send({ typeUrl: 'x'.repeat(1000) });
    assert.match((await client.over).details, /^WEFT0605: a type has a name of more than/);
    client.close();
    const other = new DeltaClient(mesh.address, sidecarNode('a'.repeat(2000), capture));
    other.send({ typeUrl: typeUrl.cds });
    assert.match((await other.over).details, /WEFT0601.* the node id has \d+ characters/);
    other.close();
  });

  test('keeps of a refusal what somebody may read', async () => {
    mesh.apply(service('reviews'));
    const client = new DeltaClient(mesh.address, sidecarNode('talker', capture));
    client.send({ typeUrl: typeUrl.cds });
    client.nack(await client.next(), `because ${'x'.repeat(1024 * 1024)}`);
    client.send({ typeUrl: typeUrl.lds });
    await client.next();
    const message = mesh.ads.statuses().find(({ workload }) => workload === 'talker')?.lastNack?.message ?? '';
    assert.match(message, /^because x/);
    assert.ok(message.length < 20_000, String(message.length));
    client.close();
  });
});
