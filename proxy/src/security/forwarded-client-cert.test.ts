import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { envoy } from '@weft/api/xds/types';
import { Headers } from '@weft/lib/header';
import { parseCertificate } from '@weft/lib/x509/certificate';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { fakeConnection } from '../../../test/kit/logged-view.ts';
import type { ConnectionInfo, PeerCertificate } from '../io/connection-info.ts';
import { applyForwardedClientCert, compileForwardedClientCert } from './forwarded-client-cert.ts';
import { VerifiedPeer } from './peer.ts';

type Config = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;

const name = 'x-forwarded-client-cert';
const own = ['spiffe://cluster.local/ns/default/sa/reviews'];
const uri = 'spiffe://cluster.local/ns/default/sa/productpage';
const peer = new VerifiedPeer(
  parseCertificate(makeSampleCertificate({ commonName: 'say "hi"', uris: [uri], dnsNames: ['page.example'] }).der),
);

function connection(of: PeerCertificate | null): ConnectionInfo {
  return fakeConnection({ transportProtocol: 'tls', peer: of, ownUriSans: own });
}

/** The header's values after a request that came with `sent`. */
function apply(config: Config, of: PeerCertificate | null, ...sent: string[]): string[] {
  const headers = Headers.of(...sent.flatMap((value) => ['X-Forwarded-Client-Cert', value]));
  const compiled = compileForwardedClientCert(config);
  if (compiled !== null) applyForwardedClientCert(compiled, connection(of), headers);
  return headers.getAll(name);
}

const all = { subject: true, uri: true, dns: true };
const element = `By=${own[0]};Hash=${peer.hash};Subject="CN=say \\"hi\\"";URI=${uri};DNS=page.example`;
const short = `By=${own[0]};Hash=${peer.hash};URI=${uri}`;
const claim = 'By=x;URI=spiffe://cluster.local/ns/default/sa/admin';

const cases: [name: string, config: Config, peer: PeerCertificate | null, sent: string[], expected: string[]][] = [
  ['SANITIZE removes it', { forwardClientCertDetails: 'SANITIZE' }, peer, [claim, claim], []],
  ['the default removes it', {}, peer, [claim], []],
  [
    'FORWARD_ONLY passes it on from a verified client',
    { forwardClientCertDetails: 'FORWARD_ONLY' },
    peer,
    [claim],
    [claim],
  ],
  ['FORWARD_ONLY removes it from anyone else', { forwardClientCertDetails: 'FORWARD_ONLY' }, null, [claim], []],
  [
    'ALWAYS_FORWARD_ONLY passes it on from anyone',
    { forwardClientCertDetails: 'ALWAYS_FORWARD_ONLY' },
    null,
    [claim],
    [claim],
  ],
  [
    'APPEND_FORWARD adds the client behind what came',
    { forwardClientCertDetails: 'APPEND_FORWARD', setCurrentClientCertDetails: { uri: true } },
    peer,
    ['a', 'b'],
    [`a,b,${short}`],
  ],
  ['APPEND_FORWARD removes it from anyone else', { forwardClientCertDetails: 'APPEND_FORWARD' }, null, [claim], []],
  [
    'SANITIZE_SET says only what is known',
    { forwardClientCertDetails: 'SANITIZE_SET', setCurrentClientCertDetails: all },
    peer,
    [claim],
    [element],
  ],
  ['SANITIZE_SET removes it from anyone else', { forwardClientCertDetails: 'SANITIZE_SET' }, null, [claim], []],
];
for (const [title, config, of, sent, expected] of cases) {
  test(title, () => assert.deepEqual(apply(config, of, ...sent), expected));
}

test('carries the certificate URL-encoded when asked', () => {
  const [value = ''] = apply(
    { forwardClientCertDetails: 'SANITIZE_SET', setCurrentClientCertDetails: { cert: true } },
    peer,
  );
  const encoded = /Cert="([^"]*)"/.exec(value)?.[1] ?? '';
  assert.equal(decodeURIComponent(encoded), peer.pem);
  assert.doesNotMatch(encoded, /[+/=\n ]/);
});

test('carries the whole chain where it is known, else the certificate', () => {
  const config = { forwardClientCertDetails: 'SANITIZE_SET' as const, setCurrentClientCertDetails: { chain: true } };
  const chainOf = (of: PeerCertificate): string =>
    decodeURIComponent(/Chain="([^"]*)"/.exec(apply(config, of)[0] ?? '')?.[1] ?? '');
  assert.equal(chainOf(peer), peer.pem);
  const known = {
    uriSans: [],
    dnsSans: [],
    subject: '',
    issuer: '',
    serial: '',
    hash: '',
    pem: 'leaf',
    chainPem: 'leaf+issuer',
  };
  assert.equal(chainOf(known), 'leaf+issuer');
});

test('a name that holds the separators stays inside its quotes', () => {
  const tricky = 'spiffe://a/b;URI=spiffe://cluster.local/ns/default/sa/admin,By=x"';
  const evil = new VerifiedPeer(parseCertificate(makeSampleCertificate({ uris: [tricky] }).der));
  const [value = ''] = apply(
    { forwardClientCertDetails: 'SANITIZE_SET', setCurrentClientCertDetails: { uri: true } },
    evil,
  );
  assert.equal(value, `By=${own[0]};Hash=${evil.hash};URI="${tricky.replace('"', '\\"')}"`);
});
