import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import type { envoy } from '@weft/api/xds/types';
import { PausedClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { encodeMessage, packAny } from '@weft/lib/protobuf/codec';
import { AdsClient, type AdsClientOptions } from './ads-client.ts';
import { FakeAdsServer, type FakeStream } from './fake-ads-server.ts';
import { frameMessage } from './grpc/frame.ts';
import type { PreparedUpdate, ResourceTarget } from './target.ts';

type Cluster = envoy.config.cluster.v3.Cluster;

/** Remembers what it was given, and refuses what the test says. */
class RecordingTarget implements ResourceTarget<unknown> {
  readonly log: string[];
  readonly kind: string;
  readonly held: Map<string, unknown> = new Map();
  refuse: (name: string) => boolean = () => false;
  onCommit: (() => void) | null = null;
  leaving: readonly string[] = [];

  constructor(kind: string, log: string[]) {
    this.kind = kind;
    this.log = log;
  }

  prepare(
    set: ReadonlyMap<string, unknown>,
    remove: readonly string[],
    version: string,
    leaving: readonly string[],
  ): PreparedUpdate {
    if (set.size > 0) this.leaving = leaving;
    const issues: Issue[] = [...set.keys()]
      .filter((name) => this.refuse(name))
      .map((name) => ({
        code: 'WEFT9999',
        level: 'error',
        path: `${this.kind}["${name}"].x`,
        message: 'refused by the test',
      }));
    const commit = (): void => {
      for (const [name, message] of set) this.held.set(name, message);
      for (const name of remove) this.held.delete(name);
      this.log.push(`${this.kind} +[${[...set.keys()]}] -[${remove}] @${version}`);
      this.onCommit?.();
    };
    return { issues, commit };
  }

  onMissing(name: string): void {
    this.log.push(`${this.kind} missing ${name}`);
  }
}

class Bed {
  readonly clock = new PausedClock();
  readonly log: string[] = [];
  readonly clusters = new RecordingTarget('cluster', this.log);
  readonly endpoints = new RecordingTarget('endpoint', this.log);
  readonly listeners = new RecordingTarget('listener', this.log);
  readonly routes = new RecordingTarget('route', this.log);
  readonly secrets = new RecordingTarget('secret', this.log);
  readonly server: FakeAdsServer;
  readonly client: AdsClient;
  private stateWaiter: (() => void) | null = null;

  constructor(server: FakeAdsServer, options: Partial<AdsClientOptions>) {
    this.server = server;
    this.client = new AdsClient({
      clock: this.clock,
      random: () => 0.5,
      connect: server.connect,
      isTls: false,
      authority: 'control-plane.test',
      variant: 'GRPC',
      node: { id: 'sidecar~test' },
      targets: {
        cluster: this.clusters,
        endpoint: this.endpoints,
        listener: this.listeners,
        route: this.routes,
        secret: this.secrets,
      },
      // The paused clock jumps further than any PING could be answered in.
      pingIntervalMs: 0,
      onStateChange: () => this.stateWaiter?.(),
      ...options,
    });
  }

  /** Waits until the state is as asked for. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.stateWaiter = null;
        resolve();
      };
      this.stateWaiter = look;
      look();
    });
  }

  /** Waits for the next change, whatever it is. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      this.stateWaiter = resolve;
    });
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.server.close();
  }
}

const beds: Bed[] = [];

async function makeBed(options: Partial<AdsClientOptions> = {}): Promise<Bed> {
  const bed = new Bed(await FakeAdsServer.start(), options);
  beds.push(bed);
  return bed;
}

afterEach(async () => {
  for (const bed of beds.splice(0)) await bed.stop();
});

/** Starts, and takes the two requests that begin every stream. */
async function open(bed: Bed): Promise<FakeStream> {
  bed.client.start();
  return begin(await bed.server.accept());
}

async function begin(stream: FakeStream): Promise<FakeStream> {
  const first = await stream.next();
  const second = await stream.next();
  assert.deepEqual([shortType(first.typeUrl), shortType(second.typeUrl)], ['Cluster', 'Listener']);
  return stream;
}

function shortType(typeUrl: string | undefined): string {
  return typeUrl?.slice(typeUrl.lastIndexOf('.') + 1) ?? '';
}

const web: Cluster = { name: 'web', connectTimeout: { seconds: 1 } };
const api: Cluster = { name: 'api' };

function listenerFor(name: string, routeName: string, timeout?: number): envoy.config.listener.v3.Listener {
  const configSource = { ads: {}, initialFetchTimeout: timeout === undefined ? undefined : { seconds: timeout } };
  const typedConfig = packAny('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    rds: { routeConfigName: routeName, configSource },
  });
  return { name, filterChains: [{ filters: [{ name: 'http', typedConfig }] }] };
}

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

test('refuses a response as a whole, naming every problem, and keeps the last good one', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web]);
  await stream.next();
  const malformed = { typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster', value: Uint8Array.of(0x0a, 9) };
  const wrongType = packAny('envoy.config.listener.v3.Listener', { name: 'l' });
  const unsupported = { name: 'bad', healthChecks: [{}] };
  const nonce = stream.respond('cluster', 'v2', [
    { ...web, lbPolicy: 'RANDOM' },
    malformed,
    wrongType,
    unsupported,
    {},
    api,
    api,
  ]);
  const nack = await stream.next();
  assert.deepEqual([nack.versionInfo, nack.responseNonce, nack.errorDetail?.code], ['v1', nonce, 3]);
  const lines = (nack.errorDetail?.message ?? '').split('\n').map((line) => /WEFT\d+ \S+/.exec(line)?.[0]);
  assert.deepEqual(lines, [
    'WEFT0100 cluster[1]:',
    'WEFT0144 cluster[2]:',
    'WEFT0120 cluster["bad"].health_checks:',
    'WEFT0141 cluster[4]:',
    'WEFT0142 cluster["api"]:',
  ]);
  assert.deepEqual(bed.log, ['cluster +[web] -[] @v1']);
  assert.deepEqual(bed.clusters.held.get('web'), web);
  const kind = bed.client.state().kinds.find((entry) => entry.kind === 'cluster');
  assert.deepEqual([kind?.version, kind?.lastRefusal?.version], ['v1', 'v2']);
  const bad = bed.client.resources('cluster').find((entry) => entry.name === 'bad');
  assert.equal(bad?.clientStatus, 'NACKED');
  assert.match(bad?.refused?.details ?? '', /WEFT0120/);

  stream.respond('cluster', 'v3', [web]);
  assert.equal((await stream.next()).errorDetail, undefined);
  assert.equal(bed.client.state().kinds.find((entry) => entry.kind === 'cluster')?.lastRefusal, null);
});

test('refuses what the target refuses', async () => {
  const bed = await makeBed();
  bed.clusters.refuse = (name) => name === 'api';
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web, api]);
  const nack = await stream.next();
  assert.equal(nack.versionInfo, undefined);
  assert.match(nack.errorDetail?.message ?? '', /WEFT9999 cluster\["api"\]\.x: refused by the test/);
  assert.deepEqual(bed.log, []);
});

test('refuses an update that brings a defect of ours to light, and lives on', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  bed.clusters.refuse = () => {
    throw new TypeError('a defect');
  };
  stream.respond('cluster', 'v1', [web]);
  assert.match(
    (await stream.next()).errorDetail?.message ?? '',
    /WEFT0149 cluster: a defect; this is a defect of Weft/,
  );
  bed.clusters.refuse = () => false;
  stream.respond('cluster', 'v2', [web]);
  assert.equal((await stream.next()).versionInfo, 'v2');
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

test('refuses a kind that it never asked for and goes on', async () => {
  const bed = await makeBed({ targets: { cluster: new RecordingTarget('cluster', []) } });
  bed.client.start();
  const stream = await bed.server.accept();
  await stream.next();
  const nonce = stream.respond('secret', 'v1', [{ name: 's' }]);
  const nack = await stream.next();
  assert.deepEqual([nack.responseNonce, nack.errorDetail?.code], [nonce, 3]);
  stream.respond('cluster', 'v1', [web]);
  assert.equal((await stream.next()).versionInfo, 'v1');
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

test('refuses a resource under the name of a static one', async () => {
  const bed = await makeBed({ reservedNames: { cluster: new Set(['web']) } });
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web, api]);
  assert.match((await stream.next()).errorDetail?.message ?? '', /WEFT0145 cluster\["web"\]: has the name of a static/);
  assert.deepEqual(bed.log, []);
});

test('refuses a listener under the name of a static one', async () => {
  const bed = await makeBed({ reservedNames: { listener: new Set(['main']) } });
  const stream = await open(bed);
  stream.respond('listener', 'v1', [{ name: 'main' }]);
  assert.match(
    (await stream.next()).errorDetail?.message ?? '',
    /WEFT0145 listener\["main"\]: has the name of a static/,
  );
  assert.deepEqual(bed.log, []);
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
  assert.deepEqual(whole.log, ['cluster +[api] -[] @v1', 'cluster +[] -[] @v2', 'cluster +[] -[api] @v2']);
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

test('limits the size of a refusal, and says how many problems it leaves out', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond(
    'cluster',
    'v1',
    Array.from({ length: 2_000 }, (_unused, index) => ({ name: `c${index}`, healthChecks: [{}] })),
  );
  const message = (await stream.next()).errorDetail?.message ?? '';
  assert.ok(message.length < 70_000);
  assert.match(message, /and \d+ more$/);
});

test('forgets a refusal once a whole response is accepted', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [{ name: 'bad', healthChecks: [{}] }]);
  await stream.next();
  assert.deepEqual(
    bed.client.resources('cluster').map((entry) => entry.name),
    ['bad'],
  );
  stream.respond('cluster', 'v2', [web]);
  await stream.next();
  assert.deepEqual(
    bed.client.resources('cluster').map((entry) => entry.name),
    ['web'],
  );
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

test('incremental: refuses a response that sends and removes one name; of two responses the later one counts', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const stream = await open(bed);
  stream.respondDelta('cluster', [['web', '1', web]]);
  await stream.next();
  stream.respondDelta('cluster', [['web', '2', { ...web, lbPolicy: 'RANDOM' }]], ['web']);
  assert.match((await stream.next()).errorDetail?.message ?? '', /WEFT0142 cluster\["web"\]: is both sent and removed/);
  stream.respondDelta('cluster', [], ['web']);
  stream.respondDelta('cluster', [['web', '3', { ...web, lbPolicy: 'RANDOM' }]]);
  for (let i = 0; i < 2; i++) assert.equal((await stream.next()).errorDetail, undefined);
  assert.equal(bed.client.resources('cluster')[0]?.version, '3');
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

test('incremental: refuses a response as a whole and keeps the versions it had', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const stream = await open(bed);
  stream.respondDelta('cluster', [['web', '1', web]]);
  await stream.next();
  const nonce = stream.respondDelta('cluster', [
    ['web', '2', { ...web, lbPolicy: 'RANDOM' }],
    ['api', '2', { name: 'other' }],
  ]);
  const nack = await stream.next();
  assert.deepEqual([nack.responseNonce, nack.errorDetail?.code], [nonce, 3]);
  assert.match(nack.errorDetail?.message ?? '', /WEFT0141 cluster\["api"\]: is named "other" inside/);
  assert.deepEqual(bed.clusters.held.get('web'), web);
  assert.equal(bed.client.resources('cluster').find((entry) => entry.name === 'web')?.version, '1');
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
