import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect as connectPlain } from 'node:net';
import { after, test } from 'node:test';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { envoy } from '@weft/api/xds/types';
import { systemClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { Scope } from '@weft/lib/metrics';
import { makeSampleRoot, type SampleCertificate } from '@weft/lib/x509/sample-certificate';
import { peerCertificate } from './peer.ts';
import { SecretSet } from './secret-set.ts';
import { inlineCertificate, makeWorkload } from './tls-pair.ts';
import { compileUpstreamTls, type UpstreamNames, type UpstreamTls } from './upstream-tls.ts';

type Context = envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext;
type Validation = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;

const root = makeSampleRoot();
const serverCertificate = makeWorkload(root, 'reviews', { dnsNames: ['reviews.example'], ipAddresses: ['127.0.0.1'] });
const client = makeWorkload(root, 'client');
const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

function compile(context: Context, secrets = new SecretSet(systemClock), scope?: Scope): UpstreamTls {
  const issues: Issue[] = [];
  const tls = compileUpstreamTls(context, secrets, issues, 'transport_socket', scope);
  assert.deepEqual(issues, []);
  assert.ok(tls);
  return tls;
}

function verifying(rules: Validation, more: Context = {}): Context {
  return { commonTlsContext: { validationContext: { trustedCa: { inlineString: root.pem }, ...rules } }, ...more };
}

async function serve(sample: SampleCertificate = serverCertificate, options: TlsOptions = {}) {
  const server: Server = createServer({ cert: sample.pem, key: sample.keyPem, ...options });
  const accepted: TLSSocket[] = [];
  server.on('secureConnection', (socket) => {
    accepted.push(socket);
    socket.on('error', () => {});
    socket.write('hello');
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return { server, accepted, port: (server.address() as AddressInfo).port };
}

/** The socket once secure, or why it never was. */
async function dial(
  tls: UpstreamTls,
  port: number,
  names?: UpstreamNames,
): Promise<{ socket: TLSSocket; failure: string }> {
  const socket = tls.connect({ host: '127.0.0.1', port }, names);
  closers.push(() => socket.destroy());
  const failure = await new Promise<string>((resolve) => {
    // A peer that was refused after the handshake is destroyed by now, and its error is on the way.
    socket.on('secureConnect', () => socket.destroyed || resolve(''));
    socket.on('error', (error) => resolve(error.message));
  });
  return { socket, failure };
}

/** The server's word, behind which its side of the handshake and its session tickets lie. */
async function greeting(socket: TLSSocket): Promise<void> {
  assert.equal(String((await once(socket, 'data'))[0]), 'hello');
}

test('verifies chain and identity and knows the server', async () => {
  const { port } = await serve();
  const rules = {
    matchTypedSubjectAltNames: [
      { sanType: 'URI' as const, matcher: { exact: 'spiffe://cluster.local/ns/default/sa/reviews' } },
    ],
  };
  const { socket, failure } = await dial(compile(verifying(rules)), port);
  assert.equal(failure, '');
  assert.deepEqual(peerCertificate(socket)?.uriSans, ['spiffe://cluster.local/ns/default/sa/reviews']);
});

const wildcard = makeWorkload(root, 'reviews', { dnsNames: ['*.Example'] });
const stranger = makeWorkload(makeSampleRoot('another'), 'reviews');
const expired = makeWorkload(root, 'reviews', { notBeforeMs: Date.UTC(2020, 0), notAfterMs: Date.UTC(2021, 0) });
const uri = (text: string): Validation => ({
  matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { exact: text } }],
});
const identity = uri('spiffe://cluster.local/ns/default/sa/reviews');

const cases: [name: string, server: SampleCertificate, rules: Validation, names: UpstreamNames, expected: RegExp][] = [
  ['refuses another authority', stranger, identity, {}, /unable to get local issuer|self-signed/],
  ['refuses an expired certificate', expired, identity, {}, /expired/],
  [
    'refuses another identity',
    serverCertificate,
    uri('spiffe://cluster.local/ns/default/sa/ratings'),
    {},
    /"spiffe:.*reviews", none of whose/,
  ],
  ['checks no host name unless told', serverCertificate, {}, {}, /^$/],
  ['checks the expected host', serverCertificate, {}, { expectedHost: 'other.example' }, /not for "other.example"/],
  ['accepts the expected host', serverCertificate, {}, { expectedHost: 'Reviews.example' }, /^$/],
  ['accepts the expected address', serverCertificate, {}, { expectedHost: '127.0.0.1' }, /^$/],
  [
    'accepts a DNS name by exact matcher',
    serverCertificate,
    { matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact: 'reviews.example' } }] },
    {},
    /^$/,
  ],
  [
    'accepts a wildcard that covers the name, by exact matcher',
    wildcard,
    { matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact: 'reviews.example' } }] },
    {},
    /^$/,
  ],
  [
    'accepts a wildcard that covers the name, by the deprecated matcher without type',
    wildcard,
    { matchSubjectAltNames: [{ exact: 'reviews.example' }] },
    {},
    /^$/,
  ],
  [
    'refuses a wildcard that does not cover the name, by the deprecated matcher without type',
    wildcard,
    { matchSubjectAltNames: [{ exact: 'a.reviews.example' }] },
    {},
    /none of whose/,
  ],
  [
    'accepts an address',
    serverCertificate,
    { matchTypedSubjectAltNames: [{ sanType: 'IP_ADDRESS', matcher: { exact: '127.0.0.1' } }] },
    {},
    /^$/,
  ],
  ['accepts the untrusted when told so', stranger, { trustChainVerification: 'ACCEPT_UNTRUSTED' }, {}, /^$/],
];
for (const [name, sample, rules, names, expected] of cases) {
  test(name, async () => {
    const scope = new Scope({ prefix: 'cluster' });
    const { port } = await serve(sample);
    const { socket, failure } = await dial(compile(verifying(rules), undefined, scope), port, names);
    assert.match(failure, expected);
    if (failure === '') return;
    assert.equal(socket.destroyed, true);
    const counted = scope.counter('ssl.fail_verify_error').value + scope.counter('ssl.fail_verify_san').value;
    assert.equal(counted, 1);
    assert.equal(scope.counter('ssl.connection_error').value, 1);
  });
}

test('verifies nothing without a validation context, and then knows nobody', async () => {
  const { port } = await serve(stranger);
  const { socket, failure } = await dial(compile({}), port);
  assert.equal(failure, '');
  assert.equal(peerCertificate(socket), null);
});

test('a pin without roots decides alone, before anything is sent', async () => {
  const { createHash } = await import('node:crypto');
  const { port, accepted } = await serve(stranger);
  const pin = createHash('sha256').update(stranger.der).digest('hex');
  const good = compile({ commonTlsContext: { validationContext: { verifyCertificateHash: [pin] } } });
  assert.equal((await dial(good, port)).failure, '');
  const bad = compile({ commonTlsContext: { validationContext: { verifyCertificateHash: ['0'.repeat(64)] } } });
  const socket = bad.connect({ host: '127.0.0.1', port });
  socket.on('secureConnect', () => socket.write('must not be sent'));
  const [error] = (await once(socket, 'error').catch((thrown: Error) => [thrown])) as [Error];
  assert.match(error.message, /hashes/);
  let received = '';
  accepted[1]?.on('data', (chunk) => (received += String(chunk)));
  await new Promise((resolve) => accepted[1]?.on('close', resolve) ?? resolve(null));
  assert.equal(received, '');
});

test('sends the configured server name, or the one of the request, never an address', async () => {
  const { port, accepted } = await serve();
  const tls = compile(verifying({}, { sni: 'configured.example' }));
  for (const names of [{}, { serverName: 'wanted.example' }, { serverName: '127.0.0.1' }]) {
    await greeting((await dial(tls, port, names)).socket);
  }
  assert.deepEqual(
    accepted.map((socket) => socket.servername),
    ['configured.example', 'wanted.example', false],
  );
});

test('shows its certificate and offers its protocols', async () => {
  const { port, accepted } = await serve(serverCertificate, {
    requestCert: true,
    ca: root.pem,
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  const context = verifying({});
  const common = {
    ...context.commonTlsContext,
    tlsCertificates: [inlineCertificate(client)],
    alpnProtocols: ['http/1.1', 'h2'],
  };
  const { socket } = await dial(compile({ commonTlsContext: common }), port);
  assert.equal(socket.alpnProtocol, 'h2');
  await greeting(socket);
  assert.equal(accepted[0]?.authorized, true);
  assert.match(accepted[0]?.getPeerCertificate().subjectaltname ?? '', /sa\/client/);
});

test('works over a socket that is connected already', async () => {
  const { port } = await serve();
  const raw = connectPlain(port, '127.0.0.1');
  await once(raw, 'connect');
  const socket = compile(verifying(identity)).connect({ socket: raw });
  closers.push(() => socket.destroy());
  await once(socket, 'secureConnect');
  assert.equal(String((await once(socket, 'data'))[0]), 'hello');
});

test('resumes sessions, checks them again, and forgets them when a secret rotates', async () => {
  const scope = new Scope({ prefix: 'cluster' });
  const secrets = new SecretSet(systemClock);
  const put = (version: string) => {
    const validationContext = { trustedCa: { inlineString: `${root.pem}\n# ${version}\n` } };
    secrets.prepare(new Map([['ROOTCA', { validationContext }]]), [], version).commit();
  };
  put('1');
  const sds = { validationContextSdsSecretConfig: { name: 'ROOTCA', sdsConfig: { ads: {} } } };
  const tls = compile({ commonTlsContext: sds }, secrets, scope);
  const { port } = await serve();
  const first = await dial(tls, port);
  await greeting(first.socket);
  const second = await dial(tls, port);
  assert.equal(second.failure, '');
  assert.equal(second.socket.isSessionReused(), true);
  assert.notEqual(peerCertificate(second.socket), null);
  await greeting(second.socket);
  const third = await dial(tls, port, { expectedHost: 'other.example' });
  assert.match(third.failure, /not for "other.example"/);
  await greeting((await dial(tls, port)).socket);
  put('2');
  const fourth = await dial(tls, port);
  assert.equal(fourth.socket.isSessionReused(), false);
  assert.equal(scope.counter('ssl.session_reused').value >= 1, true);
});

test('fails every connection while a secret is missing, without a byte on the wire', async () => {
  const secrets = new SecretSet(systemClock);
  const common = {
    tlsCertificateSdsSecretConfigs: [{ name: 'default', sdsConfig: { ads: {} } }],
    validationContext: { trustedCa: { inlineString: root.pem } },
  };
  const tls = compile({ commonTlsContext: common }, secrets);
  assert.equal(tls.isReady, false);
  const { port, accepted } = await serve();
  const { failure } = await dial(tls, port);
  assert.match(failure, /secret "default" has not arrived/);
  const raw = connectPlain(port, '127.0.0.1');
  await once(raw, 'connect');
  const over = tls.connect({ socket: raw });
  await assert.rejects(once(over, 'secureConnect'), /has not arrived/);
  assert.equal(raw.destroyed, true);
  assert.equal(accepted.length, 0);

  secrets.prepare(new Map([['default', { tlsCertificate: inlineCertificate(client) }]]), [], '1').commit();
  assert.equal(tls.isReady, true);
  assert.equal((await dial(tls, port)).failure, '');
});

test('reports several certificates and renegotiation', () => {
  const issues: Issue[] = [];
  const certificate = inlineCertificate(client);
  const context = { allowRenegotiation: true, commonTlsContext: { tlsCertificates: [certificate, certificate] } };
  assert.equal(compileUpstreamTls(context, new SecretSet(systemClock), issues, 'ts'), null);
  assert.deepEqual(
    issues.map((issue) => [issue.code, issue.path]),
    [
      ['WEFT0709', 'ts.allow_renegotiation'],
      ['WEFT0717', 'ts.common_tls_context'],
    ],
  );
});
