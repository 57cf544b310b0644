import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect as connectPlain, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { after, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { envoy } from '@weft/api/xds/types';
import { systemClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { Scope } from '@weft/lib/metrics';
import { makeSampleCertificate, makeSampleRoot, type SampleCertificate } from '@weft/lib/x509/sample-certificate';
import { compileDownstreamTls, type DownstreamTls } from './downstream-tls.ts';
import { peerCertificate, type VerifiedPeer } from './peer.ts';
import { SecretSet } from './secret-set.ts';
import { inlineCertificate, makeWorkload, TlsTestServer } from './tls-pair.ts';

type Context = envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;
type Common = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;

const root = makeSampleRoot();
const serverCertificate = makeWorkload(root, 'server', { dnsNames: ['server.example'] });
const client = makeWorkload(root, 'client');
const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

function compile(
  context: Context,
  secrets = new SecretSet(systemClock),
  scope = new Scope({ prefix: 'test' }),
): DownstreamTls {
  const issues: Issue[] = [];
  const tls = compileDownstreamTls(context, secrets, issues, 'transport_socket', scope);
  assert.deepEqual(issues, []);
  assert.ok(tls);
  return tls;
}

function mutualTls(common: Common = {}): Context {
  return {
    requireClientCertificate: true,
    commonTlsContext: {
      tlsCertificates: [inlineCertificate(serverCertificate)],
      validationContext: { trustedCa: { inlineString: root.pem } },
      ...common,
    },
  };
}

async function serve(tls: DownstreamTls): Promise<{ server: TlsTestServer; port: number }> {
  const server = new TlsTestServer(tls);
  closers.push(() => server.close());
  return { server, port: await server.listen() };
}

function dial(port: number, options: ConnectionOptions = {}): TLSSocket {
  const socket = connect({ host: '127.0.0.1', port, ca: root.pem, checkServerIdentity: () => undefined, ...options });
  socket.on('error', () => {});
  closers.push(() => socket.destroy());
  return socket;
}

function showing(sample: SampleCertificate): ConnectionOptions {
  return { cert: sample.pem, key: sample.keyPem };
}

test('accepts a client whose certificate leads to the trusted root and knows its names', async () => {
  const { server, port } = await serve(compile(mutualTls()));
  dial(port, showing(client));
  const { peer, socket, reason } = await server.next();
  assert.equal(reason, '');
  assert.deepEqual(peer?.uriSans, ['spiffe://cluster.local/ns/default/sa/client']);
  assert.equal(socket === null ? null : peerCertificate(socket), peer);
  assert.equal(socket?.getProtocol(), 'TLSv1.3');
  assert.match(peer?.pem ?? '', /^-----BEGIN CERTIFICATE-----/);
});

test('verifies a client over an intermediate that it shows, and knows the chain', async () => {
  const middle = makeSampleCertificate({ commonName: 'middle', isCa: true, issuer: root });
  const leaf = makeWorkload(middle, 'client');
  const { server, port } = await serve(compile(mutualTls()));
  dial(port, { cert: leaf.pem + middle.pem, key: leaf.keyPem });
  assert.equal((await server.next()).peer?.chainPem, leaf.pem + middle.pem);
  dial(port, { cert: leaf.pem, key: leaf.keyPem });
  assert.match((await server.next()).reason, /does not verify/);
});

/** The type of the last TLS record that a refused client of TLS 1.2 gets, where it is not encrypted; 0x15 is an alert. */
async function lastRecordType(port: number, options: ConnectionOptions): Promise<number> {
  const received: Buffer[] = [];
  const relay = createServer((socket) => {
    const onward = connectPlain(port, '127.0.0.1');
    for (const end of [socket, onward]) end.on('error', () => {});
    onward.on('data', (bytes: Buffer) => received.push(bytes));
    socket.pipe(onward).pipe(socket);
  });
  relay.listen(0, '127.0.0.1');
  closers.push(() => relay.close());
  await once(relay, 'listening');
  const socket = dial((relay.address() as AddressInfo).port, { ...options, maxVersion: 'TLSv1.2' });
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
  const bytes = Buffer.concat(received);
  let type = 0;
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) type = bytes.readUInt8(at);
  return type;
}

const hash = createHash('sha256').update(client.der).digest('hex');
const choices: [what: string, context: object][] = [
  ['names', { matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { prefix: 'spiffe://cluster.local/' } }] }],
  ['hashes', { verifyCertificateHash: [hash] }],
];
for (const [what, context] of choices) {
  test(`that expects certain ${what} refuses who shows no certificate, even if require_client_certificate is not set`, async () => {
    const validationContext = { trustedCa: { inlineString: root.pem }, ...context };
    const { server, port } = await serve(
      compile({ ...mutualTls({ validationContext }), requireClientCertificate: false }),
    );
    dial(port);
    assert.match((await server.next()).reason, /no certificate/);
    dial(port, showing(client));
    assert.equal((await server.next()).reason, '');
  });
}

test('ends with an alert when it refuses a client', async () => {
  const trust = { trustedCa: { inlineString: root.pem } };
  const matcher = { exact: 'spiffe://cluster.local/ns/default/sa/somebody' };
  const matchTypedSubjectAltNames = [{ sanType: 'URI' as const, matcher }];
  const strict = mutualTls({ validationContext: { ...trust, matchTypedSubjectAltNames } });
  const { server, port } = await serve(compile(strict));
  assert.equal(await lastRecordType(port, showing(client)), 0x15);
  assert.match((await server.next()).reason, /none of whose names/);
  assert.equal(await lastRecordType(port, {}), 0x15);
  assert.match((await server.next()).reason, /no certificate/);
});

const stranger = makeWorkload(makeSampleRoot('another root'), 'client');
const expired = makeWorkload(root, 'client', { notBeforeMs: Date.UTC(2020, 0), notAfterMs: Date.UTC(2021, 0) });
const notYet = makeWorkload(root, 'client', { notBeforeMs: Date.UTC(2110, 0), notAfterMs: Date.UTC(2111, 0) });
const issuedByLeaf = makeWorkload(client, 'client');
const unreadable = makeWorkload(root, 'client', { dnsNames: ['a\0b'] });

const refusals: [name: string, options: ConnectionOptions, reason: RegExp, counter: string][] = [
  ['of another authority', showing(stranger), /does not verify.*(UNABLE_TO|SELF_SIGNED)/, 'ssl.fail_verify_error'],
  ['that expired', showing(expired), /does not verify.*CERT_HAS_EXPIRED/, 'ssl.fail_verify_error'],
  ['that is not valid yet', showing(notYet), /does not verify.*CERT_NOT_YET_VALID/, 'ssl.fail_verify_error'],
  ['issued by one that is no authority', showing(issuedByLeaf), /does not verify/, 'ssl.fail_verify_error'],
  ['whose names hold a NUL', showing(unreadable), /malformed/, 'ssl.handshake'],
  ['that is missing', {}, /no certificate/, 'ssl.fail_verify_no_cert'],
  ['that is missing in TLS 1.2', { maxVersion: 'TLSv1.2' }, /no certificate/, 'ssl.fail_verify_no_cert'],
];
for (const [name, options, expected, counter] of refusals) {
  test(`refuses a client certificate ${name}`, async () => {
    const scope = new Scope({ prefix: 'test' });
    const { server, port } = await serve(compile(mutualTls(), new SecretSet(systemClock), scope));
    const socket = dial(port, options);
    const { reason } = await server.next();
    assert.match(reason, expected);
    assert.equal(scope.counter(counter).value, 1);
    if (!socket.closed) await new Promise((resolve) => socket.on('close', resolve));
  });
}

const sanCases: [name: string, context: Common['validationContext'], accepted: boolean][] = [
  [
    'an exact URI',
    {
      matchTypedSubjectAltNames: [
        { sanType: 'URI', matcher: { exact: 'spiffe://cluster.local/ns/default/sa/client' } },
      ],
    },
    true,
  ],
  [
    'another URI',
    {
      matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { exact: 'spiffe://cluster.local/ns/default/sa/other' } }],
    },
    false,
  ],
  [
    'a prefix',
    { matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { prefix: 'spiffe://cluster.local/' } }] },
    true,
  ],
  ['a suffix', { matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { suffix: '/sa/client' } }] }, true],
  [
    'an expression',
    { matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { safeRegex: { regex: 'spiffe://.*/sa/cl[a-z]+' } } }] },
    true,
  ],
  [
    'an expression that covers only a part',
    { matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { safeRegex: { regex: 'spiffe://' } } }] },
    false,
  ],
  [
    'the right text of the wrong kind',
    { matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { prefix: 'spiffe://' } }] },
    false,
  ],
  [
    'the deprecated untyped form',
    { matchSubjectAltNames: [{ exact: 'spiffe://cluster.local/ns/default/sa/client' }] },
    true,
  ],
  ['one of two', { matchSubjectAltNames: [{ exact: 'nobody' }, { suffix: 'client' }] }, true],
];
for (const [name, rules, accepted] of sanCases) {
  test(`${accepted ? 'accepts' : 'refuses'} a client by ${name}`, async () => {
    const validationContext = { trustedCa: { inlineString: root.pem }, ...rules };
    const { server, port } = await serve(compile(mutualTls({ validationContext })));
    dial(port, showing(client));
    const { reason, peer } = await server.next();
    assert.equal(reason === '', accepted, reason);
    assert.equal(peer !== null, accepted);
    if (!accepted) assert.match(reason, /none of whose names/);
  });
}

test('pins a client by the hash of its certificate, with or without colons', async () => {
  const hash = createHash('sha256').update(client.der).digest('hex').toUpperCase();
  const pairs = hash.match(/../g)?.join(':') ?? '';
  const { server, port } = await serve(compile(mutualTls({ validationContext: { verifyCertificateHash: [pairs] } })));
  dial(port, showing(client));
  assert.equal((await server.next()).reason, '');
  dial(port, showing(makeWorkload(root, 'client')));
  assert.match((await server.next()).reason, /hashes/);
});

test('lets a client without certificate in where none is required, but refuses a bad one', async () => {
  const { server, port } = await serve(compile({ ...mutualTls(), requireClientCertificate: false }));
  dial(port);
  const open = await server.next();
  assert.equal(open.reason, '');
  assert.equal(open.peer, null);
  dial(port, showing(stranger));
  assert.match((await server.next()).reason, /does not verify/);
  dial(port, showing(client));
  assert.notEqual((await server.next()).peer, null);
});

test('counts clients without certificate, whether one was asked for or not', async () => {
  const scope = new Scope({ prefix: 'test' });
  const secrets = new SecretSet(systemClock);
  const asking = await serve(compile({ ...mutualTls(), requireClientCertificate: false }, secrets, scope));
  dial(asking.port);
  await asking.server.next();
  dial(asking.port, showing(client));
  await asking.server.next();
  assert.equal(scope.counter('ssl.no_certificate').value, 1);
  const tlsCertificates = [inlineCertificate(serverCertificate)];
  const silent = await serve(compile({ commonTlsContext: { tlsCertificates } }, secrets, scope));
  dial(silent.port, showing(client));
  await silent.server.next();
  assert.equal(scope.counter('ssl.no_certificate').value, 2);
});

test('a certificate that nobody verified names nobody', async () => {
  const common = { tlsCertificates: [inlineCertificate(serverCertificate)] };
  const { server, port } = await serve(compile({ requireClientCertificate: true, commonTlsContext: common }));
  dial(port, showing(stranger));
  const { reason, peer } = await server.next();
  assert.equal(reason, '');
  assert.equal(peer, null);
});

test('a resumed session is refused once its certificate has expired', async () => {
  let wallMs = Date.UTC(2030, 0);
  const clock = { now: () => systemClock.now(), wallMs: () => wallMs, start: systemClock.start.bind(systemClock) };
  const { server, port } = await serve(compile(mutualTls(), new SecretSet(clock)));
  const first = dial(port, showing(makeWorkload(root, 'client', { notAfterMs: Date.UTC(2040, 0) })));
  const [session] = (await once(first, 'session')) as [Buffer];
  assert.equal((await server.next()).reason, '');
  dial(port, { ...showing(client), session });
  const resumed = await server.next();
  assert.equal(resumed.reason, '');
  assert.equal(resumed.socket?.isSessionReused(), true);
  assert.deepEqual(resumed.peer?.uriSans, ['spiffe://cluster.local/ns/default/sa/client']);
  wallMs = Date.UTC(2041, 0);
  dial(port, { ...showing(client), session });
  assert.match((await server.next()).reason, /expired at 2040/);
});

test('chooses the certificate by server name: exact, wildcard, else the first', async () => {
  const names = ['first.example', 'second.example', '*.wild.example'];
  const samples = names.map((name) => makeSampleCertificate({ commonName: name, dnsNames: [name], issuer: root }));
  const tls = compile({ commonTlsContext: { tlsCertificates: samples.map(inlineCertificate) } });
  const { port } = await serve(tls);
  const expectations: [string, string][] = [
    ['', 'first.example'],
    ['first.example', 'first.example'],
    ['SECOND.example', 'second.example'],
    ['a.wild.example', '*.wild.example'],
    ['a.b.wild.example', 'first.example'],
    ['wild.example', 'first.example'],
  ];
  for (const [servername, expected] of expectations) {
    const socket = dial(port, servername === '' ? {} : { servername });
    await once(socket, 'secureConnect');
    assert.equal(socket.getPeerCertificate().subject.CN, expected, servername);
  }
});

test('chooses by server name also where no two certificates are of one key type', async () => {
  const make = (commonName: string, keyType: 'ec' | 'rsa') =>
    inlineCertificate(makeSampleCertificate({ commonName, dnsNames: [commonName], keyType, issuer: root }));
  const tlsCertificates = [make('a.example', 'ec'), make('b.example', 'rsa')];
  const { port } = await serve(compile({ commonTlsContext: { tlsCertificates } }));
  for (const servername of ['a.example', 'b.example']) {
    const socket = dial(port, { servername });
    await once(socket, 'secureConnect');
    assert.equal(socket.getPeerCertificate().subject.CN, servername);
  }
});

test('shows each client a certificate that it can check where others are for other names', async () => {
  const names = ['a.example', 'b.example'];
  const tlsCertificates = names.flatMap((name) =>
    (['ec', 'rsa'] as const).map((keyType) =>
      inlineCertificate(
        makeSampleCertificate({ commonName: `${name} ${keyType}`, dnsNames: [name], keyType, issuer: root }),
      ),
    ),
  );
  const { port } = await serve(compile({ commonTlsContext: { tlsCertificates } }));
  for (const servername of names) {
    for (const [sigalgs, expected] of [
      ['ecdsa_secp256r1_sha256', 'ec'],
      ['rsa_pss_rsae_sha256', 'rsa'],
      ['rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256', 'ec'],
    ] as const) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const trusting = { rejectUnauthorized: false, maxVersion };
        const socket = dial(port, { ...trusting, servername, sigalgs });
        await once(socket, 'secureConnect');
        assert.equal(socket.getPeerCertificate().subject.CN, `${servername} ${expected}`);
      }
    }
  }
});

test('holds one certificate of each key type for the same name', async () => {
  const dnsNames = ['both.example'];
  const rsa = makeSampleCertificate({ commonName: 'rsa', dnsNames, keyType: 'rsa', issuer: root });
  const ec = makeSampleCertificate({ commonName: 'ec', dnsNames, issuer: root });
  const { port } = await serve(compile({ commonTlsContext: { tlsCertificates: [rsa, ec].map(inlineCertificate) } }));
  for (const [sigalgs, expected] of [
    ['rsa_pss_rsae_sha256', 'rsa'],
    ['ecdsa_secp256r1_sha256', 'ec'],
  ] as const) {
    const socket = dial(port, { servername: 'both.example', sigalgs });
    await once(socket, 'secureConnect');
    assert.equal(socket.getPeerCertificate().subject.CN, expected);
  }
});

test('prefers its own order of protocols and refuses when none is shared', async () => {
  const { server, port } = await serve(compile(mutualTls({ alpnProtocols: ['h2', 'http/1.1'] })));
  dial(port, { ...showing(client), ALPNProtocols: ['http/1.1', 'h2'] });
  assert.equal((await server.next()).socket?.alpnProtocol, 'h2');
  dial(port, { ...showing(client), ALPNProtocols: ['http/1.1'] });
  assert.equal((await server.next()).socket?.alpnProtocol, 'http/1.1');
  dial(port, showing(client));
  assert.equal((await server.next()).socket?.alpnProtocol, false);
  dial(port, { ...showing(client), ALPNProtocols: ['spdy'] });
  assert.match((await server.next()).reason, /TLS handshake/);
});

test('holds the versions that were configured', async () => {
  const tlsParams = { tlsMinimumProtocolVersion: 'TLSv1_3' as const };
  const { server, port } = await serve(compile(mutualTls({ tlsParams })));
  dial(port, { ...showing(client), maxVersion: 'TLSv1.2' });
  assert.match((await server.next()).reason, /TLS handshake/);
  dial(port, showing(client));
  assert.equal((await server.next()).reason, '');
});

test('a client that says nothing sensible fails alone', async () => {
  const { server, port } = await serve(compile(mutualTls()));
  const socket = connectPlain(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
  socket.on('error', () => {});
  assert.match((await server.next()).reason, /TLS handshake/);
  const silent = connectPlain(port, '127.0.0.1', () => silent.end());
  silent.on('error', () => {});
  assert.match((await server.next()).reason, /TLS handshake/);
  dial(port, showing(client));
  assert.equal((await server.next()).reason, '');
});

test('takes up bytes that were read before, and runs inside another stream', async () => {
  const tls = compile(mutualTls());
  for (const wrap of [(socket: Socket): Duplex => socket, tunnel]) {
    const outcome = Promise.withResolvers<VerifiedPeer | null>();
    const server = createServer((socket) => {
      socket.once('data', (chunk: Buffer) => {
        socket.pause();
        socket.unshift(chunk);
        const owner = {
          onSecure: (_: TLSSocket, peer: VerifiedPeer | null) => outcome.resolve(peer),
          onHandshakeFailed: (reason: string) => outcome.reject(new Error(reason)),
        };
        tls.accept(wrap(socket), owner);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    dial((server.address() as AddressInfo).port, showing(client));
    assert.deepEqual((await outcome.promise)?.uriSans, ['spiffe://cluster.local/ns/default/sa/client']);
  }
});

/** A stream that is no socket, as a CONNECT tunnel is. */
function tunnel(socket: Socket): Duplex {
  const stream = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
  });
  socket.on('data', (chunk: Buffer) => stream.push(chunk));
  socket.on('end', () => stream.push(null));
  socket.on('error', () => {});
  return stream;
}

test('refuses every connection until its secrets have arrived, then serves without a new context', async () => {
  const secrets = new SecretSet(systemClock);
  const wanted: (readonly string[])[] = [];
  secrets.onWanted = (names) => wanted.push(names);
  const tls = compile(
    {
      requireClientCertificate: true,
      commonTlsContext: {
        tlsCertificateSdsSecretConfigs: [{ name: 'default', sdsConfig: { ads: {} } }],
        combinedValidationContext: {
          defaultValidationContext: {
            matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { suffix: '/sa/client' } }],
          },
          validationContextSdsSecretConfig: { name: 'ROOTCA', sdsConfig: { ads: {} } },
        },
      },
    },
    secrets,
  );
  assert.deepEqual(wanted.at(-1), ['default', 'ROOTCA']);
  assert.deepEqual(tls.secretNames, ['default', 'ROOTCA']);
  const { server, port } = await serve(tls);
  assert.equal(tls.isReady, false);
  dial(port, showing(client));
  assert.match((await server.next()).reason, /secret "default" has not arrived/);

  secrets.prepare(new Map([['default', { tlsCertificate: inlineCertificate(serverCertificate) }]]), [], '1').commit();
  assert.equal(tls.isReady, false);
  secrets
    .prepare(new Map([['ROOTCA', { validationContext: { trustedCa: { inlineString: root.pem } } }]]), [], '1')
    .commit();
  assert.equal(tls.isReady, true);
  dial(port, showing(client));
  assert.equal((await server.next()).reason, '');
  dial(port, showing(makeWorkload(root, 'other')));
  assert.match((await server.next()).reason, /none of whose names/);
  secrets.prepare(new Map(), ['ROOTCA'], '2').commit();
  dial(port, showing(client));
  assert.match((await server.next()).reason, /secret "ROOTCA" has not arrived/);
});

test('a rotation reaches new handshakes and leaves live connections alone', async () => {
  const secrets = new SecretSet(systemClock);
  const put = (sample: SampleCertificate, trust: SampleCertificate, version: string): void => {
    const messages = new Map([
      ['default', { tlsCertificate: inlineCertificate(sample) }],
      ['ROOTCA', { validationContext: { trustedCa: { inlineString: trust.pem } } }],
    ]);
    secrets.prepare(messages, [], version).commit();
  };
  put(serverCertificate, root, '1');
  const reference = (name: string) => ({ name, sdsConfig: { ads: {} } });
  const tls = compile(
    {
      requireClientCertificate: true,
      commonTlsContext: {
        tlsCertificateSdsSecretConfigs: [reference('default')],
        validationContextSdsSecretConfig: reference('ROOTCA'),
      },
    },
    secrets,
  );
  const { server, port } = await serve(tls);
  const old = dial(port, showing(client));
  const [session] = (await once(old, 'session')) as [Buffer];
  const oldEnd = (await server.next()).socket;

  const newRoot = makeSampleRoot('new root');
  put(makeWorkload(newRoot, 'server'), newRoot, '2');
  dial(port, { ...showing(client), ca: newRoot.pem, session });
  assert.match((await server.next()).reason, /does not verify/, 'a session of the old root must not get in');
  const fresh = dial(port, { ...showing(makeWorkload(newRoot, 'client')), ca: newRoot.pem });
  await once(fresh, 'secureConnect');
  assert.equal(fresh.authorized, true);
  assert.equal((await server.next()).reason, '');

  oldEnd?.on('data', (chunk: Buffer) => oldEnd.write(chunk));
  old.write('still here');
  assert.equal(String((await once(old, 'data'))[0]), 'still here');
});

const broken: [name: string, context: Context, code: string, path: RegExp][] = [
  ['no certificate', { commonTlsContext: {} }, 'WEFT0717', /common_tls_context$/],
  [
    'TLS 1.0',
    mutualTls({ tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_0' } }),
    'WEFT0713',
    /tls_minimum_protocol_version$/,
  ],
  [
    'crossed versions',
    mutualTls({ tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_3', tlsMaximumProtocolVersion: 'TLSv1_2' } }),
    'WEFT0713',
    /tls_params$/,
  ],
  ['an unknown cipher', mutualTls({ tlsParams: { cipherSuites: ['NO-SUCH'] } }), 'WEFT0715', /cipher_suites$/],
  ['an unknown curve', mutualTls({ tlsParams: { ecdhCurves: ['P-1'] } }), 'WEFT0715', /tls_params$/],
  [
    'names without a root',
    mutualTls({ validationContext: { matchSubjectAltNames: [{ exact: 'a' }] } }),
    'WEFT0714',
    /validation_context$/,
  ],
  [
    'a static secret that is not there',
    { commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: 'x' }] } },
    'WEFT0712',
    /configs\[0\]$/,
  ],
  ['no ticket keys', { ...mutualTls(), sessionTicketKeys: {} }, 'WEFT0843', /session_ticket_keys$/],
  [
    'ticket keys of another size',
    { ...mutualTls(), sessionTicketKeys: { keys: [{ inlineString: 'short' }] } },
    'WEFT0843',
    /session_ticket_keys\.keys\[0\]$/,
  ],
  [
    'expired certificates allowed',
    mutualTls({ validationContext: { allowExpiredCertificate: true } }),
    'WEFT0709',
    /allow_expired_certificate$/,
  ],
  [
    'an empty matcher',
    mutualTls({ validationContext: { trustedCa: { inlineString: root.pem }, matchSubjectAltNames: [{}] } }),
    'WEFT0720',
    /names\[0\]$/,
  ],
  [
    'a bad expression',
    mutualTls({
      validationContext: {
        trustedCa: { inlineString: root.pem },
        matchSubjectAltNames: [{ safeRegex: { regex: '(' } }],
      },
    }),
    'WEFT0721',
    /safe_regex\.regex$/,
  ],
  ['an odd hash', mutualTls({ validationContext: { verifyCertificateHash: ['abc'] } }), 'WEFT0723', /hash\[0\]$/],
];
for (const [name, context, code, path] of broken) {
  test(`reports ${name}`, () => {
    const issues: Issue[] = [];
    assert.equal(compileDownstreamTls(context, new SecretSet(systemClock), issues, 'ts'), null);
    const found = issues.find((issue) => issue.code === code);
    assert.ok(found, JSON.stringify(issues));
    assert.match(found.path ?? '', path);
  });
}
