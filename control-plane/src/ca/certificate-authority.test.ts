import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { parseCertificate } from '@weft/lib/x509/certificate';
import { buildCsr, generateWorkloadKey } from '@weft/lib/x509/csr';
import { formatPem, parsePem } from '@weft/lib/x509/pem';
import { makeSampleCertificate, makeSampleRoot } from '@weft/lib/x509/sample-certificate';
import { makeTestAuthority, makeTestDirectory } from './ca-kit.ts';
import { checkCsr } from './csr-check.ts';

const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'web' };
const uri = 'spiffe://cluster.local/ns/default/sa/web';

function directoryOf(context: TestContext): string {
  return makeTestDirectory((callback) => context.after(callback));
}

function publicKeyDer(): Buffer {
  return createPublicKey(generateWorkloadKey()).export({ type: 'spki', format: 'der' });
}

test('signs the identity it was told, back-dated, for 24 hours', async (context) => {
  const clock = new PausedClock(Date.UTC(2026, 5, 1, 12, 0, 0, 500));
  const authority = await makeTestAuthority(directoryOf(context), {}, clock);
  const key = publicKeyDer();
  const issued = await authority.issue({ id, publicKeyDer: key, ttlMs: null });
  const certificate = new X509Certificate(issued.pem);
  const facts = parseCertificate(certificate.raw);
  const root = new X509Certificate(authority.trustBundle);
  assert.equal(certificate.checkIssued(root) && certificate.verify(root.publicKey), true);
  assert.deepEqual(facts.names, { uris: [uri], dnsNames: [], ipAddresses: [], emails: [] });
  assert.equal(facts.subject, '');
  assert.equal(facts.isCa, false);
  assert.deepEqual(facts.publicKeyDer, key);
  assert.equal(facts.notBeforeMs, Date.UTC(2026, 5, 1, 11, 58));
  assert.equal(facts.notAfterMs, Date.UTC(2026, 5, 2, 12));
  assert.deepEqual(
    [issued.notBeforeMs, issued.notAfterMs, issued.serial],
    [facts.notBeforeMs, facts.notAfterMs, facts.serial],
  );
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
});

const hourMs = 3600_000;
const lifetimes: [name: string, ttlMs: number | null, expectedMs: number][] = [
  ['the default', null, hourMs],
  ['a shorter wish', 60_000, 60_000],
  ['at most the maximum', 100 * hourMs, 2 * hourMs],
  ['at least what is of use', 1, 5_000],
];
for (const [name, ttlMs, expectedMs] of lifetimes) {
  test(`gives a lifetime of ${name}`, async (context) => {
    const clock = new PausedClock();
    const options = { defaultTtlMs: hourMs, maxTtlMs: 2 * hourMs };
    const authority = await makeTestAuthority(directoryOf(context), options, clock);
    const issued = await authority.issue({ id, publicKeyDer: publicKeyDer(), ttlMs });
    assert.equal(issued.notAfterMs - clock.wallMs(), expectedMs);
  });
}

for (const keyType of ['ec', 'rsa'] as const) {
  test(`signs with an intermediate of type ${keyType} and sends it along, never beyond its own end`, async (context) => {
    const directory = directoryOf(context);
    const root = makeSampleRoot();
    const notAfterMs = Date.UTC(2026, 0, 1, 6);
    const signing = makeSampleCertificate({ commonName: 'signing', isCa: true, issuer: root, keyType, notAfterMs });
    mkdirSync(join(directory, 'ca'));
    writeFileSync(join(directory, 'ca', 'ca-cert.pem'), signing.pem);
    writeFileSync(join(directory, 'ca', 'ca-key.pem'), signing.keyPem);
    writeFileSync(join(directory, 'ca', 'cert-chain.pem'), signing.pem);
    writeFileSync(join(directory, 'ca', 'root-cert.pem'), root.pem);
    const authority = await makeTestAuthority(directory, {}, new PausedClock());
    const issued = await authority.issue({ id, publicKeyDer: publicKeyDer(), ttlMs: null });
    assert.deepEqual(authority.intermediates, [signing.pem]);
    assert.equal(authority.trustBundle, root.pem);
    const certificate = new X509Certificate(issued.pem);
    const issuer = new X509Certificate(signing.pem);
    assert.equal(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey), true);
    assert.equal(issued.notAfterMs, notAfterMs);
  });
}

test('accepts the request that workloads make', async () => {
  const key = generateWorkloadKey();
  const checked = await checkCsr(buildCsr(key, uri));
  assert.deepEqual(checked, { publicKeyDer: createPublicKey(key).export({ type: 'spki', format: 'der' }) });
});

/** A request whose key is replaced by another after signing. */
function withForeignKey(): string {
  const [own, other] = [generateWorkloadKey(), generateWorkloadKey()];
  const der = parsePem(buildCsr(own, uri))[0]?.der ?? Buffer.alloc(0);
  const spki = (key: typeof own) => createPublicKey(key).export({ type: 'spki', format: 'der' });
  const at = der.indexOf(spki(own));
  assert.ok(at > 0);
  spki(other).copy(der, at);
  return formatPem('CERTIFICATE REQUEST', der);
}

const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
const oddCurve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;
const refused: [name: string, csr: () => string, reason: RegExp][] = [
  ['nothing', () => '', /no CERTIFICATE REQUEST/],
  ['a certificate', () => makeSampleRoot().pem, /no CERTIFICATE REQUEST/],
  ['no DER', () => formatPem('CERTIFICATE REQUEST', Buffer.from('hello')), /cannot be read/],
  [
    'half a request',
    () =>
      formatPem(
        'CERTIFICATE REQUEST',
        parsePem(buildCsr(generateWorkloadKey(), uri))[0]?.der.subarray(0, 90) ?? Buffer.alloc(0),
      ),
    /cannot be read/,
  ],
  ['a request for a key it does not hold', withForeignKey, /not signed by the key/],
  ['a short RSA key', () => buildCsr(weak, uri), /1024 bits/],
  ['an odd curve', () => buildCsr(oddCurve, uri), /secp256k1/],
  ['a huge text', () => 'x'.repeat(100_000), /larger than/],
];
for (const [name, csr, reason] of refused) {
  test(`refuses ${name}`, async () => {
    const checked = await checkCsr(csr());
    assert.equal(typeof checked, 'string');
    assert.match(String(checked), reason);
  });
}
