import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { encodeMessage, packAny } from '@weft/lib/protobuf/codec';
import { AdsClient } from './ads-client.ts';
import { frameMessage } from './grpc/frame.ts';
import {
  api,
  Bed,
  beds,
  begin,
  listenerFor,
  makeBed,
  open,
  RecordingTarget,
  shortType,
  web,
} from './testing/ads-bed.ts';
import { FakeAdsServer, type FakeStream } from './testing/fake-ads-server.ts';

test('asks for clusters and listeners first, naming its node', async () => {
  const bed = await makeBed({ metadata: { 'x-token': 'abc' } });
  bed.client.start();
  const stream = await bed.server.accept();
  assert.equal(
    stream.headers[':path'],
    '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
  );
  assert.equal(stream.headers[':authority'], 'control-plane.test');
  assert.equal(stream.headers['x-token'], 'abc');
  assert.equal(stream.headers['content-type'], 'application/grpc');
  assert.deepEqual(await stream.next(), {
    node: { id: 'sidecar~test' },
    typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  });
  assert.equal((await stream.next()).node?.id, 'sidecar~test');
});

test('sends the node once per stream where that is asked for', async () => {
  const bed = await makeBed({ nodeOnce: true });
  bed.client.start();
  const stream = await bed.server.accept();
  assert.equal((await stream.next()).node?.id, 'sidecar~test');
  assert.equal((await stream.next()).node, undefined);
});

test('commits an update and acknowledges it with version and nonce', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  const nonce = stream.respond('cluster', 'v1', [web, api]);
  const ack = await stream.next();
  assert.deepEqual([ack.versionInfo, ack.responseNonce, ack.errorDetail], ['v1', nonce, undefined]);
  assert.deepEqual(bed.log, ['cluster +[web,api] -[] @v1']);
  assert.deepEqual(bed.clusters.held.get('web'), web);
  const state = bed.client.state();
  assert.equal(state.isConnected, true);
  assert.equal(state.controlPlane, 'fake');
  assert.equal(state.kinds.find((kind) => kind.kind === 'cluster')?.version, 'v1');
  const [first] = bed.client.resources('cluster');
  assert.deepEqual([first?.name, first?.version, first?.clientStatus], ['api', 'v1', 'ACKED']);
  assert.equal(first?.updatedWallMs, bed.clock.wallMs());
});

test('hands over only what changed, and removes what a wildcard response leaves out', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web, api]);
  await stream.next();
  stream.respond('cluster', 'v2', [{ ...web, lbPolicy: 'RANDOM' }]);
  await stream.next();
  stream.respond('cluster', 'v3', [{ ...web, lbPolicy: 'RANDOM' }]);
  assert.equal((await stream.next()).versionInfo, 'v3');
  assert.deepEqual(bed.log, ['cluster +[web,api] -[] @v1', 'cluster +[web] -[] @v2', 'cluster +[] -[api] @v2']);
  assert.deepEqual([...bed.clusters.held.keys()], ['web']);
});

test('keeps no response in memory for the resources it holds', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web, { name: 'large', altStatName: 'x'.repeat(100_000) }]);
  await stream.next();
  const held = bed.client.resources('cluster').find((entry) => entry.name === 'web')?.resource?.value;
  assert.ok((held?.buffer.byteLength ?? Number.MAX_SAFE_INTEGER) < 100);
  const before = held;
  stream.respond('cluster', 'v2', [web]);
  await stream.next();
  assert.equal(bed.client.resources('cluster')[0]?.resource?.value, before);
});

test('follows names: endpoints as told, routes as listeners refer to them', async () => {
  const bed = await makeBed();
  bed.clusters.onCommit = () => bed.client.setNames('endpoint', ['web', 'api']);
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web]);
  assert.equal(shortType((await stream.next()).typeUrl), 'Cluster');
  const eds = await stream.next();
  assert.deepEqual([shortType(eds.typeUrl), eds.resourceNames], ['ClusterLoadAssignment', ['web', 'api']]);
  stream.respond('listener', 'v1', [listenerFor('a', 'r1'), listenerFor('b', 'r2')]);
  await stream.next();
  const rds = await stream.next();
  assert.deepEqual([shortType(rds.typeUrl), rds.resourceNames], ['RouteConfiguration', ['r1', 'r2']]);
  const nonce = stream.respond('route', 'v1', [{ name: 'r1' }, { name: 'unasked' }]);
  await stream.next();
  assert.deepEqual([...bed.routes.held.keys()], ['r1']);
  assert.deepEqual(
    bed.client.resources('route').map((entry) => `${entry.name} ${entry.clientStatus}`),
    ['r1 ACKED', 'r2 REQUESTED'],
  );

  bed.client.setNames('route', ['r3']);
  const more = await stream.next();
  assert.deepEqual([more.resourceNames, more.responseNonce, more.versionInfo], [['r3', 'r1', 'r2'], nonce, 'v1']);
});

for (const variant of ['GRPC', 'DELTA_GRPC'] as const) {
  test(`${variant}: asks anew for what was not wanted for a moment, while an answer was outstanding`, async () => {
    const { promise: committed, resolve: settle } = Promise.withResolvers<() => void>();
    const bed = await makeBed({ variant, settle });
    const stream = await open(bed);
    bed.client.setNames('endpoint', ['a', 'b']);
    await stream.next();
    const b = { clusterName: 'b' };
    if (variant === 'GRPC') stream.respond('endpoint', '1', [b]);
    else stream.respondDelta('endpoint', [['b', '1', b]]);
    const settled = await committed;
    bed.client.setNames('endpoint', ['a']);
    bed.client.setNames('endpoint', ['a', 'b']);
    settled();
    const answer = await stream.next();
    if (variant === 'DELTA_GRPC') assert.deepEqual(answer.resourceNamesSubscribe, ['b']);
    else {
      assert.deepEqual(answer.resourceNames, ['a']);
      assert.deepEqual((await stream.next()).resourceNames, ['a', 'b']);
    }
  });
}

test('keeps a route that no listener refers to any more until connections have drained', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('listener', 'v1', [listenerFor('a', 'old')]);
  await stream.next();
  await stream.next();
  stream.respond('route', 'v1', [{ name: 'old' }]);
  await stream.next();
  stream.respond('listener', 'v2', [listenerFor('a', 'new')]);
  await stream.next();
  assert.deepEqual((await stream.next()).resourceNames, ['new', 'old']);
  bed.clock.advance(600_020);
  assert.deepEqual((await stream.next()).resourceNames, ['new']);
  assert.deepEqual(bed.log.at(-1), 'route +[] -[old] @v1');
});

test('says that a route is missing after the initial fetch timeout of its listener', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('listener', 'v1', [
    listenerFor('a', 'slow', 3),
    listenerFor('b', 'usual'),
    listenerFor('c', 'never', 0),
  ]);
  await stream.next();
  await stream.next();
  bed.clock.advance(2_900);
  assert.equal(bed.log.length, 1);
  bed.clock.advance(200);
  assert.equal(bed.log.at(-1), 'route missing slow');
  bed.clock.advance(60_000);
  assert.deepEqual(bed.log.slice(1), ['route missing slow', 'route missing usual']);
});

test('is initialized when clusters and listeners have come, or have not come in their time', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  let calls = 0;
  bed.client.onInitialized(() => calls++);
  stream.respond('cluster', 'v1', []);
  await stream.next();
  assert.deepEqual([bed.client.isInitialized, calls], [false, 0]);
  bed.clock.advance(15_020);
  assert.deepEqual([bed.client.isInitialized, calls], [true, 1]);
  bed.client.onInitialized(() => calls++);
  assert.equal(calls, 2);
});

test('is initialized when all that came first is refused: nobody knows when it will be mended', async () => {
  const bed = await makeBed({ initialFetchTimeoutMs: { cluster: 0, listener: 0 } });
  const stream = await open(bed);
  stream.respond('cluster', 'v1', []);
  await stream.next();
  bed.listeners.refuse = () => true;
  stream.respond('listener', 'v1', [{ name: 'bad' }]);
  assert.notEqual((await stream.next()).errorDetail, undefined);
  assert.equal(bed.client.isInitialized, true);
});

test('applies responses that arrive together in order, and removals last', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web]);
  await stream.next();
  stream.respond('listener', 'v1', [listenerFor('a', 'r')]);
  await stream.next();
  await stream.next();
  bed.log.length = 0;
  // One packet: the client sees all three in one turn.
  stream.stream.cork();
  stream.respond('route', 'v2', [{ name: 'r' }]);
  stream.respond('listener', 'v2', [listenerFor('a', 'r'), listenerFor('b', 'r')]);
  stream.respond('cluster', 'v2', [api]);
  stream.stream.uncork();
  await bed.until(() => bed.log.some((line) => line.includes('-[web]')));
  assert.deepEqual(
    bed.log.map((line) => line.split(' ').slice(0, 3).join(' ')),
    ['cluster +[api] -[]', 'listener +[b] -[]', 'route +[r] -[]', 'cluster +[] -[web]'],
  );
});

test('reconnects with growing, jittered delays and takes up at the versions it has', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web]);
  await stream.next();
  bed.server.vanish();
  await bed.until(() => !bed.client.state().isConnected);
  assert.deepEqual([...bed.clusters.held.keys()], ['web']);
  assert.match(bed.client.state().lastError, /^UNAVAILABLE: /);
  // random is 0.5: 250 ms, then 500 ms after a failure without an answer.
  bed.clock.advance(240);
  assert.equal(bed.server.connections, 1);
  bed.clock.advance(30);
  const second = await bed.server.accept();
  const request = await second.next();
  assert.deepEqual([request.versionInfo, request.responseNonce], ['v1', undefined]);
  const failed = bed.change();
  bed.server.vanish();
  await failed;
  assert.equal(bed.client.state().attempts, 1);
  bed.clock.advance(480);
  assert.equal(bed.server.connections, 2);
  bed.clock.advance(40);
  const third = await begin(await bed.server.accept());
  third.respond('cluster', 'v2', [web, api]);
  assert.equal((await third.next()).versionInfo, 'v2');
  assert.deepEqual(bed.log, ['cluster +[web] -[] @v1', 'cluster +[api] -[] @v2']);
});

test('keeps trying while nothing listens, never longer than the maximum apart', async () => {
  const server = await FakeAdsServer.start();
  const { port } = server;
  await server.close();
  const clock = new PausedClock();
  let attempts = 0;
  let waiter: (() => void) | null = null;
  const client = new AdsClient({
    clock,
    random: () => 1,
    connect: () => connect(port, '127.0.0.1'),
    isTls: false,
    authority: 'x',
    variant: 'GRPC',
    node: { id: 'n' },
    targets: { cluster: new RecordingTarget('cluster', []) },
    onStateChange: () => {
      attempts++;
      waiter?.();
    },
  });
  const failure = (): Promise<void> => new Promise((resolve) => (waiter = resolve));
  const first = failure();
  client.start();
  await first;
  for (let i = 0; i < 9; i++) {
    const next = failure();
    clock.advance(Math.min(30_000, 500 * 2 ** i) + 20);
    await next;
  }
  assert.equal(attempts, 10);
  assert.match(client.state().lastError, /ECONNREFUSED/);
  client.close();
  clock.advance(120_000);
  assert.equal(attempts, 10);
});

test('tries at once when told that what the connection needs has come', async () => {
  let isReady = false;
  const bed = await makeBed({
    connect: () => {
      if (!isReady) throw new Error('there is no certificate yet');
      return connect(bed.server.port, '127.0.0.1');
    },
  });
  bed.client.start();
  await bed.until(() => bed.client.state().lastError !== '');
  assert.match(bed.client.state().lastError, /there is no certificate yet/);
  isReady = true;
  bed.client.retryNow();
  await begin(await bed.server.accept());
});

test('gives a half-received message up with its stream', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  const whole = frameMessage(
    encodeMessage('envoy.service.discovery.v3.DiscoveryResponse', { versionInfo: 'v1', nonce: 'n' }),
  );
  stream.stream.write(whole.subarray(0, whole.length - 2));
  stream.stream.end();
  await bed.until(() => bed.client.state().lastError !== '');
  assert.deepEqual(bed.log, []);
  bed.clock.advance(300);
  const second = await begin(await bed.server.accept());
  second.respond('cluster', 'v1', [web]);
  assert.equal((await second.next()).versionInfo, 'v1');
});

test('survives a server that vanishes in the middle of a response', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web]);
  await stream.next();
  const partial = frameMessage(Buffer.alloc(100_000)).subarray(0, 50_000);
  stream.stream.write(partial, () => bed.server.vanish());
  await bed.until(() => !bed.client.state().isConnected);
  bed.clock.advance(300);
  assert.equal((await (await bed.server.accept()).next()).versionInfo, 'v1');
});

test('ends the stream on a message that is too large, malformed or compressed', async () => {
  const bed = await makeBed({ messageLimitBytes: 1000 });
  const bad: [bytes: Buffer, reason: RegExp][] = [
    [frameMessage(Buffer.alloc(1001)), /INTERNAL: .*more than 1000 bytes/],
    [frameMessage(Buffer.from([0xff])), /malformed/],
    [Buffer.from([1, 0, 0, 0, 0]), /compressed/],
  ];
  bed.client.start();
  for (const [bytes, reason] of bad) {
    const stream = await begin(await bed.server.accept());
    stream.stream.write(bytes);
    await bed.until(() => reason.test(bed.client.state().lastError));
    bed.clock.advance(30_000);
  }
});

test('tells how the server refused the call: status in head, in trailers, or no gRPC at all', async () => {
  const bed = await makeBed();
  bed.server.isRaw = true;
  bed.client.start();
  const answers: [answer: (stream: FakeStream) => void, reason: RegExp][] = [
    [
      ({ stream }) =>
        stream.respond(
          {
            ':status': 200,
            'content-type': 'application/grpc',
            'grpc-status': '7',
            'grpc-message': 'not%20yours%E2%80%A6',
          },
          { endStream: true },
        ),
      /^PERMISSION_DENIED: not yours…$/,
    ],
    [
      (fake) => {
        fake.stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        fake.end(12, 'unknown service');
      },
      /^UNIMPLEMENTED: unknown service$/,
    ],
    [
      ({ stream }) => stream.respond({ ':status': 503 }, { endStream: true }),
      /^UNAVAILABLE: the server answered HTTP 503$/,
    ],
    [({ stream }) => stream.respond({ ':status': 200, 'content-type': 'text/html' }), /content type text\/html/],
  ];
  for (const [answer, reason] of answers) {
    answer(await bed.server.accept());
    await bed.until(() => reason.test(bed.client.state().lastError));
    bed.clock.advance(30_000);
  }
});

test('leaves in good order on GOAWAY and comes back', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web]);
  await stream.next();
  bed.server.sessions[0]?.goaway(0);
  await bed.until(() => !bed.client.state().isConnected);
  assert.match(bed.client.state().lastError, /the server goes away/);
  bed.clock.advance(300);
  assert.equal((await (await bed.server.accept()).next()).versionInfo, 'v1');
});

test('gives up a connection whose peer does not answer PING', async () => {
  const silent = await makeBed({ connectTimeoutMs: 3_000 });
  const { createServer } = await import('node:net');
  const sockets: import('node:net').Socket[] = [];
  const dead = createServer((socket) => {
    sockets.push(socket);
    // A settings frame, so that the connection counts as made; then silence.
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    socket.resume();
  });
  await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve));
  const address = dead.address();
  assert.ok(typeof address === 'object' && address !== null);
  let opened: (() => void) | null = null;
  const bed = new Bed(silent.server, {
    pingIntervalMs: 1_000,
    pingTimeoutMs: 500,
    connect: () => {
      const socket = connect(address.port, '127.0.0.1');
      // The call sends its requests once connected; the preface on the wire shows that it has.
      socket.once('ready', () => setImmediate(() => setImmediate(() => opened?.())));
      return socket;
    },
  });
  const isOpen = new Promise<void>((resolve) => (opened = resolve));
  bed.client.start();
  await isOpen;
  bed.clock.advance(1_010);
  bed.clock.advance(520);
  await bed.until(() => /does not answer PING/.test(bed.client.state().lastError));
  bed.client.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => dead.close(resolve));
});

test('pings less often when the server finds that they come too often', async () => {
  const bed = await makeBed({ pingIntervalMs: 1_000, pingTimeoutMs: 60_000 });
  let stream = await open(bed);
  const pings = (): number => bed.server.pings;
  const nextPing = (): Promise<void> => new Promise((resolve) => bed.server.onPing(resolve));
  let ping = nextPing();
  bed.clock.advance(1_020);
  await ping;
  const ended = bed.change();
  bed.server.sessions[0]?.goaway(11);
  await ended;
  bed.clock.advance(300);
  stream = await begin(await bed.server.accept());
  assert.equal(pings(), 1);
  bed.clock.advance(1_500);
  stream.respond('cluster', 'v1', [web]);
  await stream.next();
  assert.equal(pings(), 1);
  ping = nextPing();
  bed.clock.advance(520);
  await ping;
  assert.equal(pings(), 2);
});

test('never removes a static resource', async () => {
  const incremental = await makeBed({ variant: 'DELTA_GRPC', reservedNames: { cluster: new Set(['web']) } });
  const deltas = await open(incremental);
  deltas.respondDelta('cluster', [['api', '1', api]], ['web']);
  assert.equal((await deltas.next()).errorDetail, undefined);
  assert.deepEqual(incremental.log, ['cluster +[api] -[] @s1']);

  const whole = await makeBed({ reservedNames: { cluster: new Set(['web']) } });
  const stream = await open(whole);
  stream.respond('cluster', 'v1', [api]);
  await stream.next();
  stream.respond('cluster', 'v2', []);
  await stream.next();
  assert.deepEqual(whole.log, ['cluster +[api] -[] @v1', 'cluster +[] -[api] @v2']);
});

test('takes resources out of their wrapper, and refuses a time to live', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  const resource = packAny('envoy.config.cluster.v3.Cluster', web);
  const wrapped = packAny('envoy.service.discovery.v3.Resource', { name: 'web', version: '5', resource });
  stream.respond('cluster', 'v1', [wrapped]);
  assert.equal((await stream.next()).errorDetail, undefined);
  assert.equal(bed.client.resources('cluster')[0]?.version, '5');
  const expiring = packAny('envoy.service.discovery.v3.Resource', { name: 'web', resource, ttl: { seconds: 9 } });
  stream.respond('cluster', 'v2', [expiring]);
  assert.match((await stream.next()).errorDetail?.message ?? '', /WEFT0143 cluster\["web"\]/);
});

test('incremental: subscribes, applies changes and removals, acknowledges', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const stream = await open(bed);
  assert.match(String(stream.headers[':path']), /DeltaAggregatedResources$/);
  const nonce = stream.respondDelta('cluster', [
    ['web', '1', web],
    ['api', '1', api],
  ]);
  const ack = await stream.next();
  assert.deepEqual([ack.responseNonce, ack.errorDetail, ack.resourceNamesSubscribe], [nonce, undefined, undefined]);
  stream.respondDelta('cluster', [['web', '2', { ...web, lbPolicy: 'RANDOM' }]], ['api', 'never-there']);
  await stream.next();
  assert.deepEqual(bed.log, ['cluster +[web,api] -[] @s1', 'cluster +[web] -[] @s2', 'cluster +[] -[api] @s2']);
  assert.equal(bed.client.resources('cluster')[0]?.version, '2');

  bed.client.setNames('endpoint', ['a', 'b']);
  assert.deepEqual((await stream.next()).resourceNamesSubscribe, ['a', 'b']);
  bed.client.setNames('endpoint', ['b', 'c']);
  const change = await stream.next();
  assert.deepEqual([change.resourceNamesSubscribe, change.resourceNamesUnsubscribe], [['c'], ['a']]);
});

test('incremental: what goes by an earlier response is in nobody’s way, though it goes last', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const stream = await open(bed);
  stream.respondDelta('listener', [['old', '1', { name: 'old' }]]);
  await stream.next();
  stream.respondDelta('listener', [], ['old']);
  stream.respondDelta('listener', [['new', '2', { name: 'new' }]]);
  for (let i = 0; i < 2; i++) assert.equal((await stream.next()).errorDetail, undefined);
  assert.deepEqual(bed.log.slice(-2), ['listener +[new] -[] @s3', 'listener +[] -[old] @s2']);
  assert.deepEqual(bed.listeners.leaving, ['old']);
});

test('incremental: tells the versions it holds when it reconnects', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const stream = await open(bed);
  bed.client.setNames('endpoint', ['web']);
  await stream.next();
  stream.respondDelta('cluster', [
    ['web', '7', web],
    ['api', '8', api],
  ]);
  await stream.next();
  stream.respondDelta('endpoint', [['web', '9', { clusterName: 'web' }]]);
  await stream.next();
  bed.server.vanish();
  await bed.until(() => !bed.client.state().isConnected);
  bed.clock.advance(300);
  const second = await bed.server.accept();
  assert.deepEqual((await second.next()).initialResourceVersions, { web: '7', api: '8' });
  const eds = await second.next();
  assert.deepEqual([eds.initialResourceVersions, eds.resourceNamesSubscribe], [{ web: '9' }, ['web']]);
  assert.equal((await second.next()).initialResourceVersions, undefined);
  second.respondDelta('cluster', [], ['api']);
  await second.next();
  assert.equal(bed.log.at(-1), 'cluster +[] -[api] @s1');
});

test('incremental: what is still referred to stays in force when the server takes it away, and is asked for anew', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const stream = await open(bed);
  const kinds = ['secret', 'endpoint', 'route'] as const;
  for (const kind of kinds) {
    bed.client.setNames(kind, ['one']);
    await stream.next();
    stream.respondDelta(kind, [['one', '1', kind === 'endpoint' ? { clusterName: 'one' } : { name: 'one' }]]);
    await stream.next();
    stream.respondDelta(kind, [], ['one']);
    assert.equal((await stream.next()).errorDetail, undefined);
  }
  assert.deepEqual(
    bed.log,
    kinds.map((kind) => `${kind} +[one] -[] @s${2 * kinds.indexOf(kind) + 1}`),
  );
  bed.server.vanish();
  await bed.until(() => !bed.client.state().isConnected);
  bed.clock.advance(300);
  const second = await bed.server.accept();
  for (let i = 0; i < 5; i++) assert.deepEqual((await second.next()).initialResourceVersions, undefined);

  bed.client.setNames('secret', []);
  await second.next();
  assert.equal(bed.log.at(-1), 'secret +[] -[one] @s2');
});

test('incremental: a route that does not exist keeps nobody waiting', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const stream = await open(bed);
  bed.client.setNames('route', ['none']);
  await stream.next();
  stream.respondDelta('route', [], ['none']);
  await stream.next();
  assert.deepEqual(bed.log, ['route missing none']);
  assert.equal(bed.client.resources('route')[0]?.clientStatus, 'DOES_NOT_EXIST');
});

test('fetches secrets from a server of its own on a Unix socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-sds-'));
  const path = join(folder, 'socket');
  const server = await FakeAdsServer.start(path);
  const bed = new Bed(server, { service: 'sds', connect: () => connect(path) });
  beds.push(bed);
  const client = new AdsClient({
    ...{ clock: bed.clock, random: () => 0.5, isTls: false, authority: 'sds', variant: 'GRPC', node: { id: 'n' } },
    service: 'sds',
    connect: () => connect(path),
    targets: { secret: bed.secrets },
  });
  client.setNames('secret', ['default', 'ROOTCA']);
  client.start();
  const stream = await server.accept();
  assert.equal(stream.headers[':path'], '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets');
  assert.deepEqual((await stream.next()).resourceNames, ['default', 'ROOTCA']);
  stream.respond('secret', 'v1', [{ name: 'default' }]);
  await stream.next();
  assert.deepEqual(bed.log, ['secret +[default] -[] @v1']);
  client.close();
  rmSync(folder, { recursive: true });
});

test('stops for good when closed', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  bed.client.close();
  await new Promise((resolve) => stream.stream.once('close', resolve));
  bed.clock.advance(120_000);
  assert.equal(bed.server.connections, 1);
  assert.equal(bed.client.state().isConnected, false);
});
