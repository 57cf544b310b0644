import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { certificateHash, parseCertificate } from './certificate.ts';
import { makeSampleCertificate, makeSampleRoot } from './sample-certificate.ts';

test('reads every kind of alternative name from the bytes', () => {
  const { der } = makeSampleCertificate({
    commonName: 'web, "the" <server>',
    uris: ['spiffe://cluster.local/ns/default/sa/web'],
    dnsNames: ['web.example', '*.web.example'],
    ipAddresses: ['127.0.0.1', '2001:db8::1'],
    emails: ['ops@example.com'],
  });
  const facts = parseCertificate(der);
  assert.deepEqual(facts.names, {
    uris: ['spiffe://cluster.local/ns/default/sa/web'],
    dnsNames: ['web.example', '*.web.example'],
    ipAddresses: ['127.0.0.1', '2001:db8::1'],
    emails: ['ops@example.com'],
  });
  assert.equal(facts.subject, String.raw`CN=web\, \"the\" \<server\>`);
});

test('agrees with OpenSSL on serial, dates, hash and key', () => {
  const root = makeSampleRoot();
  const { der } = makeSampleCertificate({
    issuer: root,
    notBeforeMs: Date.UTC(2025, 1, 3, 4, 5, 6),
    notAfterMs: Date.UTC(2055, 5, 6),
  });
  const facts = parseCertificate(der);
  const reference = new X509Certificate(der);
  assert.equal(facts.serial, reference.serialNumber.toLowerCase());
  assert.equal(facts.notBeforeMs, reference.validFromDate.getTime());
  assert.equal(facts.notAfterMs, reference.validToDate.getTime());
  assert.equal(certificateHash(der), reference.fingerprint256.replaceAll(':', '').toLowerCase());
  assert.deepEqual(facts.publicKeyDer, reference.publicKey.export({ type: 'spki', format: 'der' }));
  assert.equal(facts.isCa, false);
  assert.equal(parseCertificate(root.der).isCa, true);
  assert.equal(facts.issuer, 'CN=sample root');
});

test('a name that imitates a list of names stays one name', () => {
  const trick = 'spiffe://evil/ns/a/sa/b,URI:spiffe://cluster.local/ns/admin/sa/root';
  const facts = parseCertificate(makeSampleCertificate({ uris: [trick] }).der);
  assert.deepEqual(facts.names.uris, [trick]);
});

test('a name with NUL, space or non-ASCII bytes makes the certificate unreadable', () => {
  for (const bad of ['good.example\0.evil.example', 'a b', 'caf\xe9.example', 'line\nbreak']) {
    assert.throws(() => parseCertificate(makeSampleCertificate({ dnsNames: [bad] }).der), /cannot hold/);
  }
});

test('damage at any byte is an error or another certificate, never a crash', () => {
  const { der } = makeSampleCertificate({ uris: ['spiffe://cluster.local/ns/default/sa/web'] });
  for (let length = 0; length < der.length; length++) {
    assert.throws(() => parseCertificate(der.subarray(0, length)), { name: 'X509Error' });
  }
  for (let i = 0; i < der.length; i++) {
    const damaged = Buffer.from(der);
    damaged[i] = (damaged[i] as number) ^ 0xff;
    try {
      parseCertificate(damaged);
    } catch (error) {
      assert.equal((error as Error).name, 'X509Error', `byte ${i}`);
    }
  }
});

test('bytes after the certificate are refused', () => {
  const { der } = makeSampleCertificate();
  assert.throws(() => parseCertificate(Buffer.concat([der, Buffer.from([0])])), /after its end/);
});
