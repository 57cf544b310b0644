// The whole control plane in process: files and API writes in, discovery and certificates out, over a restart.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ChannelCredentials, Client, credentials, Metadata } from '@grpc/grpc-js';
import { type ControlPlane, startControlPlane } from '@weft/control-plane/control-plane';
import { ResourceStore } from '@weft/control-plane/store/resource-store';
import { PausedClock } from '@weft/lib/clock';
import { WeftError } from '@weft/lib/error';
import { formatIssue, type Issue } from '@weft/lib/issue';
import { decodeMessage, encodeMessage, unpackAny } from '@weft/lib/protobuf/codec';
import { buildCsr, formatPrivateKeyPem, generateWorkloadKey } from '@weft/lib/x509/csr';
import { temporaryFolder } from '../kit/folder.ts';
import { until } from '../kit/until.ts';
import { DeltaClient, namesOf, SotwClient, sidecarNode, typeUrl } from './ads-client.ts';

const token = 'a-token-that-is-long-enough';
const sidecar = sidecarNode('web', {
  SERVICE_ACCOUNT: 'web',
  LABELS: { app: 'web' },
  WEFT_LOCAL: { capture: { port: 15100 } },
});

const services = `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: default }
spec: { ports: [{ name: http, port: 9080 }], selector: { app: reviews } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: default }
spec: { host: reviews, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
`;

const route = (subset: string) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'reviews', namespace: 'default' },
  spec: { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews', subset } }] }] },
});

async function call(plane: ControlPlane, path: string, method = 'GET', body?: unknown): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${plane.apiPort}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as { message?: string };
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${answer.message}`);
  return answer;
}

/** A certificate for an identity, as a proxy gets one: a join token, then a signing request. */
async function certify(plane: ControlPlane, stateDirectory: string, identity: string): Promise<ChannelCredentials> {
  const { token: joinToken } = (await call(plane, '/weft/v1/join-tokens', 'POST', { identity })) as { token: string };
  const root = readFileSync(join(stateDirectory, 'ca', 'root-cert.pem'));
  const key = generateWorkloadKey();
  const client = new Client(`127.0.0.1:${plane.xdsPort}`, credentials.createSsl(root), {
    'grpc.enable_http_proxy': 0,
    'grpc.ssl_target_name_override': 'localhost',
  });
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${joinToken}`);
  const request = encodeMessage('istio.v1.auth.IstioCertificateRequest', { csr: buildCsr(key, identity) });
  const chain = await new Promise<readonly string[]>((resolve, reject) => {
    client.makeUnaryRequest(
      '/istio.v1.auth.IstioCertificateService/CreateCertificate',
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => decodeMessage('istio.v1.auth.IstioCertificateResponse', bytes),
      request,
      metadata,
      (error, answer) => (error === null ? resolve(answer?.certChain ?? []) : reject(error)),
    );
  });
  client.close();
  return credentials.createSsl(root, Buffer.from(formatPrivateKeyPem(key)), Buffer.from(chain[0] ?? ''));
}

/** The cluster of the first ordinary route of reviews. */
function routeOf(response: Awaited<ReturnType<SotwClient['next']>>): string | undefined {
  const [any] = response.resources ?? [];
  assert.ok(any !== undefined);
  const table = unpackAny(any, 'envoy.config.route.v3.RouteConfiguration');
  const host = table.virtualHosts?.find(({ name }) => name?.startsWith('reviews.'));
  return host?.routes?.find(({ match }) => match?.connectMatcher === undefined)?.route?.cluster;
}

describe('the control plane', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-control-plane-'));
  const configDirectory = mkdtempSync(join(tmpdir(), 'weft-config-'));
  const options = { configDirectory, stateDirectory: folder, token, apiPort: 0, xdsPort: 0 };
  let plane: ControlPlane;
  let channel: ChannelCredentials;

  before(async () => {
    writeFileSync(join(configDirectory, 'services.yaml'), services);
    plane = await startControlPlane(options);
    channel = await certify(plane, folder, 'spiffe://cluster.local/ns/default/sa/web');
  });

  after(async () => {
    await plane.close();
    rmSync(folder, { recursive: true });
    rmSync(configDirectory, { recursive: true });
  });

  test('lets in no stream without a certificate', async () => {
    const root = readFileSync(join(folder, 'ca', 'root-cert.pem'));
    const client = new SotwClient(`127.0.0.1:${plane.xdsPort}`, sidecar, credentials.createSsl(root));
    client.ask(typeUrl.cds);
    const { code, details } = await client.over;
    assert.equal(code, 16);
    assert.match(details, /WEFT0603/);
  });

  test("lets no workload ask for another one's configuration", async () => {
    const other = { ...sidecar, metadata: { SERVICE_ACCOUNT: 'admin' } };
    const client = new SotwClient(`127.0.0.1:${plane.xdsPort}`, other, channel);
    client.ask(typeUrl.cds);
    const { code, details } = await client.over;
    assert.equal(code, 7);
    assert.match(details, /WEFT0606.*sa\/admin.*sa\/web/);
  });

  test('carries an API write and a file change to the proxy, and tells when it has arrived', async () => {
    const client = new SotwClient(`127.0.0.1:${plane.xdsPort}`, sidecar, channel);
    client.ask(typeUrl.cds);
    client.ack(await client.next());
    client.ask(typeUrl.lds);
    client.ack(await client.next());
    client.ask(typeUrl.rds, ['capture']);
    const first = await client.next();
    client.ack(first, ['capture']);
    assert.equal(routeOf(first), 'outbound|9080||reviews.default.svc.cluster.local');
    const path = '/apis/networking.istio.io/v1/namespaces/default/virtualservices';
    const created = (await call(plane, path, 'POST', route('v1'))) as { metadata: { resourceVersion: string } };
    const second = await client.next();
    assert.equal(routeOf(second), 'outbound|9080|v1|reviews.default.svc.cluster.local');
    const waiting = call(plane, `/weft/v1/wait?revision=${created.metadata.resourceVersion}&timeout=5s`);
    client.ack(second, ['capture']);
    const { ready, missing } = (await waiting) as { ready: string[]; missing: unknown[] };
    assert.deepEqual([ready, missing], [[sidecar.id], []]);
    writeFileSync(join(configDirectory, 'services.yaml'), services.replace('v2, labels: { version: v2 }', 'v3'));
    const clusters = await client.next();
    assert.ok(namesOf(clusters).includes('outbound|9080|v3|reviews.default.svc.cluster.local'));
    const { proxies } = (await call(plane, '/weft/v1/proxies')) as { proxies: Record<string, unknown>[] };
    const own = proxies.find(({ isConnected }) => isConnected);
    assert.equal(own?.workload, 'web');
    assert.ok(Date.parse(String(own?.certificateExpiresAt)) > Date.now());
    client.close();
  });

  test('reports a broken file and how resources do not fit', async () => {
    writeFileSync(join(configDirectory, 'broken.yaml'), 'kind: [');
    await plane.store.put({ kind: 'VirtualService', object: route('v9') as never, positions: null });
    let codes: string[] = [];
    for (let round = 0; round < 200 && codes.length < 2; round++) {
      const { issues } = (await call(plane, '/weft/v1/issues')) as { issues: { code: string }[] };
      codes = issues.map(({ code }) => code).filter((code) => ['WEFT0401', 'WEFT0482'].includes(code));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.deepEqual(codes.sort(), ['WEFT0401', 'WEFT0482']);
  });

  test('says that a write hides a change of a file, until the file says the same', async () => {
    const file = join(configDirectory, 'route.yaml');
    const written = (subset: string) =>
      writeFileSync(file, JSON.stringify({ ...route(subset), metadata: { name: 'overlaid' } }));
    const over = { ...route('v2'), metadata: { name: 'overlaid', namespace: 'default' } };
    const told = async () => {
      const { issues } = (await call(plane, '/weft/v1/issues')) as { issues: Issue[] };
      return issues.filter(({ code }) => code === 'WEFT0504').map(formatIssue);
    };
    const effective = () => plane.store.get('VirtualService', 'default', 'overlaid');
    written('v1');
    await until('the file is read', () => effective() !== null);
    await plane.store.put({ kind: 'VirtualService', object: over as never, positions: null });
    const place = `${file}:1: warning WEFT0504 VirtualService/default/overlaid: `;
    const end = 'weft delete virtualservice overlaid -n default';
    assert.equal((await told()).length, 1);
    assert.ok((await told())[0]?.startsWith(`${place}This declaration has no effect`));
    assert.ok((await told())[0]?.endsWith(end));
    written('v3');
    await until('the change is told', async () => (await told())[0]?.startsWith(`${place}A change of this`) ?? false);
    written('v2');
    await until('both say the same', async () => (await told()).length === 0);
    assert.equal(effective()?.layer, 'file');
    rmSync(file);
    await until('the file is gone', () => effective() === null);
  });

  test('keeps revisions, roots and what clients have over a restart', async () => {
    const client = new DeltaClient(`127.0.0.1:${plane.xdsPort}`, sidecar, channel);
    client.send({ typeUrl: typeUrl.lds });
    const before = await client.next();
    const versions = Object.fromEntries(
      (before.resources ?? []).map(({ name, version }) => [name ?? '', version ?? '']),
    );
    const { revision } = plane.store;
    await plane.close();
    assert.equal((await client.over).code, 14);
    plane = await startControlPlane(options);
    assert.ok(plane.store.revision >= revision);
    const again = new DeltaClient(`127.0.0.1:${plane.xdsPort}`, sidecar, channel);
    again.send({ typeUrl: typeUrl.lds, initialResourceVersions: versions });
    assert.deepEqual(namesOf(await again.next()), [], 'the client has them already');
    again.close();
  });

  test('refuses to start beside another on the same state, and on a port in use', async () => {
    await assert.rejects(
      startControlPlane(options),
      (error) => error instanceof WeftError && error.code === 'WEFT0830',
    );
    const busy = { ...options, stateDirectory: null, plaintext: true, xdsPort: plane.xdsPort };
    await assert.rejects(startControlPlane(busy), (error) => error instanceof WeftError && error.code === 'WEFT0621');
  });
});

test('files that could not be kept are kept when there is room again', async (context) => {
  const configDirectory = temporaryFolder(context);
  writeFileSync(join(configDirectory, 'services.yaml'), services);
  const clock = new PausedClock();
  let attempts = 0;
  const original = ResourceStore.prototype.replaceFiles;
  context.mock.method(ResourceStore.prototype, 'replaceFiles', function (this: ResourceStore, ...args: [never]) {
    if (++attempts < 3) throw new Error('disk full');
    original.apply(this, args);
  });
  const ports = { apiPort: 0, xdsPort: 0, plaintext: true };
  const plane = await startControlPlane({ configDirectory, stateDirectory: null, token, ...ports, clock });
  context.after(() => plane.close());
  assert.equal(plane.store.get('Service', 'default', 'reviews'), null);
  clock.advance(2100);
  clock.advance(2100);
  assert.ok(plane.store.get('Service', 'default', 'reviews'));
});
