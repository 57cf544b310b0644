// What the client refuses of an update, and what it takes all the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { google } from '@weft/api/xds/types';
import { packAny } from '@weft/lib/protobuf/codec';
import { api, type Bed, begin, makeBed, open, RecordingTarget, web } from './testing/ads-bed.ts';
import type { FakeStream } from './testing/fake-ads-server.ts';

test('takes what is good of a response, refuses the rest and names every problem of it', async () => {
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
  assert.deepEqual(bed.log, ['cluster +[web] -[] @v1', 'cluster +[web] -[] @v2']);
  const kind = bed.client.state().kinds.find((entry) => entry.kind === 'cluster');
  assert.deepEqual([kind?.version, kind?.lastRefusal?.version], ['v1', 'v2']);
  const bad = bed.client.resources('cluster').find((entry) => entry.name === 'bad');
  assert.equal(bad?.clientStatus, 'NACKED');
  assert.match(bad?.refused?.details ?? '', /WEFT0120/);

  stream.respond('cluster', 'v3', [web]);
  const ack = await stream.next();
  assert.deepEqual([ack.versionInfo, ack.errorDetail], ['v3', undefined]);
  assert.equal(bed.client.state().kinds.find((entry) => entry.kind === 'cluster')?.lastRefusal, null);
});

test('refuses what the target refuses, and takes the rest', async () => {
  const bed = await makeBed();
  bed.clusters.refuse = (name) => name === 'api';
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web, api]);
  const nack = await stream.next();
  assert.equal(nack.versionInfo, undefined);
  assert.match(nack.errorDetail?.message ?? '', /WEFT9999 cluster\["api"\]\.x: refused by the test/);
  assert.deepEqual(bed.log, ['cluster +[web] -[] @v1']);
  const statuses = bed.client.resources('cluster').map(({ name, clientStatus }) => `${name} ${clientStatus}`);
  assert.deepEqual(statuses, ['api NACKED', 'web ACKED']);

  bed.clusters.refuse = () => false;
  stream.respond('cluster', 'v2', [web, api]);
  assert.equal((await stream.next()).versionInfo, 'v2');
  assert.equal(bed.log.at(-1), 'cluster +[api] -[] @v2');
});

test('what an update leaves out goes although something of it is refused, but not a cluster, which routes may name', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  bed.clusters.refuse = bed.listeners.refuse = (name) => name === 'bad';
  stream.respond('cluster', 'v1', [web, api]);
  await stream.next();
  stream.respond('listener', 'v1', [{ name: 'in' }, { name: 'out' }]);
  await stream.next();
  bed.log.length = 0;
  stream.respond('cluster', 'v2', [web, { name: 'bad' }]);
  assert.equal((await stream.next()).versionInfo, 'v1');
  stream.respond('listener', 'v2', [{ name: 'in' }, { name: 'bad' }]);
  assert.equal((await stream.next()).versionInfo, 'v1');
  stream.respond('cluster', 'v3', [web]);
  assert.equal((await stream.next()).versionInfo, 'v3');
  assert.deepEqual(bed.log, ['listener +[] -[out] @v2', 'cluster +[] -[api] @v3']);
});

test('one that cannot be read is not taken for gone, nor is what it could be', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  stream.respond('listener', 'v1', [{ name: 'in' }, { name: 'out' }]);
  await stream.next();
  const typeUrl = 'type.googleapis.com/envoy.config.listener.v3.Listener';
  const broken = (name: string): google.protobuf.Any => ({
    typeUrl,
    value: Buffer.concat([Uint8Array.of(0x0a, name.length), Buffer.from(name), Uint8Array.of(0xff)]),
  });
  stream.respond('listener', 'v2', [{ name: 'in' }, broken('out')]);
  assert.match((await stream.next()).errorDetail?.message ?? '', /WEFT\d+ listener\["out"\]/);
  stream.respond('listener', 'v3', [{ name: 'in' }, { typeUrl, value: Uint8Array.of(0xff) }]);
  assert.match((await stream.next()).errorDetail?.message ?? '', /WEFT\d+ listener\[1\]/);
  assert.deepEqual(bed.log, ['listener +[in,out] -[] @v1']);
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

test('refuses a resource under the name of a static one', async () => {
  const bed = await makeBed({ reservedNames: { cluster: new Set(['web']) } });
  const stream = await open(bed);
  stream.respond('cluster', 'v1', [web, api]);
  assert.match((await stream.next()).errorDetail?.message ?? '', /WEFT0145 cluster\["web"\]: has the name of a static/);
  assert.deepEqual(bed.log, ['cluster +[api] -[] @v1']);
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

test('incremental: forgets a refusal once the resource is taken away', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const stream = await open(bed);
  stream.respondDelta('cluster', [['bad', '1', { name: 'bad', healthChecks: [{}] }]]);
  assert.notEqual((await stream.next()).errorDetail, undefined);
  stream.respondDelta('cluster', [], ['bad']);
  assert.equal((await stream.next()).errorDetail, undefined);
  assert.deepEqual(bed.client.resources('cluster'), []);
});

test('finds no fault with a resource that nobody asked for', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  bed.client.setNames('endpoint', ['web']);
  await stream.next();
  const other = { clusterName: 'other', namedEndpoints: { a: {} } };
  stream.respond('endpoint', '1', [{ clusterName: 'web' }, other, other]);
  assert.deepEqual((await stream.next()).errorDetail, undefined);
  assert.deepEqual(
    bed.client.resources('endpoint').map(({ name, clientStatus }) => `${name} ${clientStatus}`),
    ['web ACKED'],
  );
});

test('tells resources apart whatever their names hold', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  const odd = 'web"]\nerror WEFT0001 cluster["x';
  bed.clusters.refuse = (name) => name === odd;
  stream.respond('cluster', '1', [web, { name: odd }]);
  const { errorDetail } = await stream.next();
  assert.equal(errorDetail?.message?.split('\n').length, 1);
  assert.deepEqual(
    bed.client.resources('cluster').map(({ clientStatus }) => clientStatus),
    ['ACKED', 'NACKED'],
  );
  assert.deepEqual(bed.log, ['cluster +[web] -[] @1']);
});

test('keeps a refusal that a later response says nothing about', async () => {
  const bed = await makeBed();
  const stream = await open(bed);
  bed.client.setNames('endpoint', ['web', 'api']);
  await stream.next();
  bed.endpoints.refuse = (name) => name === 'web';
  stream.respond('endpoint', '1', [{ clusterName: 'web' }, { clusterName: 'api' }]);
  await stream.next();
  stream.respond('endpoint', '2', [{ clusterName: 'api' }]);
  await stream.next();
  const statuses = () => bed.client.resources('endpoint').map(({ name, clientStatus }) => `${name} ${clientStatus}`);
  assert.deepEqual(statuses(), ['api ACKED', 'web NACKED']);
  bed.endpoints.refuse = () => false;
  stream.respond('endpoint', '3', [{ clusterName: 'web' }]);
  await stream.next();
  assert.deepEqual(statuses(), ['api ACKED', 'web ACKED']);
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

test('incremental: takes what is good of a response, and keeps the versions of the rest', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const stream = await open(bed);
  stream.respondDelta('cluster', [['web', '1', web]]);
  await stream.next();
  const nonce = stream.respondDelta('cluster', [
    ['web', '2', { ...web, lbPolicy: 'RANDOM' }],
    ['api', '2', { name: 'other' }],
    ['db', '2', { name: 'db', healthChecks: [{}] }],
  ]);
  const nack = await stream.next();
  assert.deepEqual([nack.responseNonce, nack.errorDetail?.code], [nonce, 3]);
  assert.match(nack.errorDetail?.message ?? '', /WEFT0141 cluster\["api"\]: is named "other" inside/);
  const versions = bed.client.resources('cluster').map(({ name, version }) => `${name} ${version}`);
  assert.deepEqual(versions, ['api ', 'db ', 'web 2']);
  bed.server.vanish();
  await bed.until(() => !bed.client.state().isConnected);
  bed.clock.advance(300);
  assert.deepEqual((await (await bed.server.accept()).next()).initialResourceVersions, { web: '2' });
});

test('incremental: a cluster that an update takes away beside a refused one goes with the next that is good', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const stream = await open(bed);
  stream.respondDelta('cluster', [
    ['web', '1', web],
    ['api', '1', api],
  ]);
  await stream.next();
  stream.respondDelta('cluster', [['db', '1', { name: 'db', healthChecks: [{}] }]], ['web', 'api']);
  assert.notEqual((await stream.next()).errorDetail, undefined);
  assert.deepEqual([...bed.clusters.held.keys()], ['web', 'api']);
  stream.respondDelta('cluster', [['web', '2', web]]);
  assert.equal((await stream.next()).errorDetail, undefined);
  assert.deepEqual([...bed.clusters.held.keys()], ['web']);
});

async function reopen(bed: Bed): Promise<FakeStream> {
  bed.server.vanish();
  await bed.until(() => !bed.client.state().isConnected);
  bed.clock.advance(300);
  return begin(await bed.server.accept());
}

test('incremental: a cluster that was to go, and is there again when the stream is, stays', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const first = await open(bed);
  first.respondDelta('cluster', [['web', '1', web]]);
  await first.next();
  first.respondDelta('cluster', [['bad', '1', { name: 'bad', healthChecks: [{}] }]], ['web']);
  await first.next();
  const second = await reopen(bed);
  second.respondDelta('cluster', [['api', '1', api]]);
  assert.equal((await second.next()).errorDetail, undefined);
  assert.deepEqual([...bed.clusters.held.keys()], ['web', 'api']);
});

test('incremental: a refusal that a new stream does not bring again is forgotten', async () => {
  const bed = await makeBed({ variant: 'DELTA_GRPC' });
  const first = await open(bed);
  first.respondDelta('cluster', [['bad', '1', { name: 'bad', healthChecks: [{}] }]]);
  await first.next();
  const second = await reopen(bed);
  second.respondDelta('cluster', []);
  await second.next();
  assert.deepEqual(bed.client.resources('cluster'), []);
});
