import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import {
  credentials,
  Metadata,
  type MethodDefinition,
  makeClientConstructor,
  Server,
  type ServiceError,
} from '@grpc/grpc-js';
import { systemClock } from '@weft/lib/clock';
import { parseCertificate } from '@weft/lib/x509/certificate';
import { buildCsr, formatPrivateKeyPem, generateWorkloadKey } from '@weft/lib/x509/csr';
import { parseCertificatePem } from '@weft/lib/x509/pem';
import { makeSampleCertificate, makeSampleRoot } from '@weft/lib/x509/sample-certificate';
import { KeptLog, makeTestAuthority, makeTestDirectory } from './ca-kit.ts';
import { CallerIdentity } from './caller.ts';
import { certificateServiceDefinition, certificateServiceImplementation } from './certificate-service.ts';
import { JoinTokens } from './join-tokens.ts';
import { MeshServerCredentials } from './server-credentials.ts';

const web = 'spiffe://cluster.local/ns/default/sa/web';
const admin = 'spiffe://cluster.local/ns/default/sa/admin';

interface ClientCertificate {
  readonly chain: string;
  readonly key: string;
}

/** A control plane's port with the certificate service on it. */
async function setUp(context: TestContext) {
  const directory = makeTestDirectory((callback) => context.after(callback));
  const log = new KeptLog();
  const authority = await makeTestAuthority(directory);
  const tokens = new JoinTokens(join(directory, 'tokens'), systemClock, log);
  const callers = new CallerIdentity('cluster.local', tokens, systemClock);
  const options = { authority, clock: systemClock, log, extraHosts: ['mesh.example'] };
  const serverCredentials = await MeshServerCredentials.create(options);
  const server = new Server();
  server.addService(
    certificateServiceDefinition,
    certificateServiceImplementation({ authority, callers, tokens, log }),
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', serverCredentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  context.after(() => {
    serverCredentials.close();
    server.forceShutdown();
  });
  return { log, authority, tokens, serverCredentials, port };
}

type Mesh = Awaited<ReturnType<typeof setUp>>;

/** What a workload gets for its request: its chain, or gRPC's code and words. */
async function ask(
  mesh: Mesh,
  options: { token?: string; certificate?: ClientCertificate; csr?: string; ttlSeconds?: number },
): Promise<{ chain: string[]; key: string; code: number; details: string }> {
  const key = generateWorkloadKey();
  const { certificate } = options;
  const channel = credentials.createSsl(
    Buffer.from(mesh.authority.trustBundle),
    certificate === undefined ? null : Buffer.from(certificate.key),
    certificate === undefined ? null : Buffer.from(certificate.chain),
  );
  const Client = makeClientConstructor(certificateServiceDefinition, 'ca');
  const client = new Client(`127.0.0.1:${mesh.port}`, channel, {
    // The authority of a call must be a name: Node refuses an address as server name.
    'grpc.ssl_target_name_override': 'localhost',
    'grpc.enable_http_proxy': 0,
    'grpc.use_local_subchannel_pool': 1,
  });
  const metadata = new Metadata();
  if (options.token !== undefined) metadata.set('authorization', `Bearer ${options.token}`);
  const method = certificateServiceDefinition.CreateCertificate as MethodDefinition<object, { certChain?: string[] }>;
  const request = { csr: options.csr ?? buildCsr(key, web), validityDuration: options.ttlSeconds ?? 0 };
  const { requestSerialize, responseDeserialize, path } = method;
  const answer = await new Promise<{ chain: string[]; code: number; details: string }>((resolve) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      (error: ServiceError | null, value) => {
        resolve({ chain: value?.certChain ?? [], code: error?.code ?? 0, details: error?.details ?? '' });
      },
    );
  });
  client.close();
  return { ...answer, key: formatPrivateKeyPem(key) };
}

function leafOf(chain: string[]) {
  return parseCertificate(parseCertificatePem(chain[0] ?? '')[0] as Buffer);
}

const unauthenticated = 16;
const invalidArgument = 3;

test('a token buys the first certificate, the certificate every later one', async (context) => {
  const mesh = await setUp(context);
  const token = mesh.tokens.create(web);
  const first = await ask(mesh, { token });
  assert.equal(first.details, '');
  assert.deepEqual(leafOf(first.chain).names.uris, [web]);
  assert.equal(first.chain.at(-1), mesh.authority.trustBundle);
  const second = await ask(mesh, { certificate: { chain: first.chain[0] ?? '', key: first.key }, ttlSeconds: 600 });
  assert.equal(second.details, '');
  assert.deepEqual(leafOf(second.chain).names.uris, [web]);
  assert.ok(leafOf(second.chain).notAfterMs <= Date.now() + 600_000);
});

test('a token is dead after the first mTLS, and its replay is logged', async (context) => {
  const mesh = await setUp(context);
  const token = mesh.tokens.create(web);
  await ask(mesh, { token });
  const first = await ask(mesh, { token });
  assert.equal(first.details, '', 'a crash before the certificate was used must not lock the workload out');
  await ask(mesh, { certificate: { chain: first.chain[0] ?? '', key: first.key } });
  const replay = await ask(mesh, { token });
  assert.equal(replay.code, unauthenticated);
  assert.match(replay.details, /replayed/);
  assert.ok(mesh.log.lines.some((line) => line.startsWith('warn join token refused') && line.includes('replayed')));
});

test('the identity is who the caller is, whatever the request says', async (context) => {
  const mesh = await setUp(context);
  const csr = buildCsr(generateWorkloadKey(), admin);
  const { chain } = await ask(mesh, { token: mesh.tokens.create(web), csr });
  assert.deepEqual(leafOf(chain).names.uris, [web]);
});

const foreign = makeSampleCertificate({ uris: [admin], issuer: makeSampleRoot() });

test('refuses callers that nothing vouches for', async (context) => {
  const mesh = await setUp(context);
  const cases: [name: string, options: Parameters<typeof ask>[1], reason: RegExp][] = [
    ['nobody', {}, /neither/],
    ['an unknown token', { token: 'a'.repeat(43) }, /unknown/],
    ['a certificate of another authority', { certificate: { chain: foreign.pem, key: foreign.keyPem } }, /neither/],
    ['another trust domain', { token: mesh.tokens.create('spiffe://other.mesh/ns/a/sa/b') }, /trust domain/],
  ];
  for (const [name, options, reason] of cases) {
    const { code, details, chain } = await ask(mesh, options);
    assert.equal(code, unauthenticated, name);
    assert.match(details, reason, name);
    assert.deepEqual(chain, [], name);
  }
});

test('refuses a bad request of a good caller, who may then send a better one', async (context) => {
  const mesh = await setUp(context);
  const token = mesh.tokens.create(web);
  const bad = await ask(mesh, { token, csr: 'hello' });
  assert.equal(bad.code, invalidArgument);
  assert.match(bad.details, /CERTIFICATE REQUEST/);
  assert.equal((await ask(mesh, { token })).details, '');
});

test('the port shows the identity of the control plane and renews its certificate in place', async (context) => {
  const mesh = await setUp(context);
  const shown = async () => {
    const socket = connectTls({
      host: '127.0.0.1',
      port: mesh.port,
      ca: mesh.authority.trustBundle,
      ALPNProtocols: ['h2'],
    });
    await once(socket, 'secureConnect');
    return { socket, facts: parseCertificate(socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0)) };
  };
  const before = await shown();
  assert.deepEqual(before.facts.names.uris, ['spiffe://cluster.local/ns/istio-system/sa/istiod']);
  assert.deepEqual(before.facts.names.dnsNames, ['localhost', 'istiod.istio-system.svc', 'mesh.example']);
  await mesh.serverCredentials.renew();
  const after = await shown();
  assert.notEqual(after.facts.serial, before.facts.serial);
  assert.equal(before.socket.destroyed, false, 'open connections stay');
  before.socket.destroy();
  after.socket.destroy();
});
