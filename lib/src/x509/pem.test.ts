import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPem, parseCertificatePem, parsePem } from './pem.ts';
import { makeSampleCertificate } from './sample-certificate.ts';

test('reads back what it wrote, several blocks with text between them', () => {
  const [a, b] = [makeSampleCertificate(), makeSampleCertificate()];
  const text = `a comment\n${a.pem}\nanother\r\n${b.pem.replaceAll('\n', '\r\n')}${b.keyPem}`;
  assert.deepEqual(parseCertificatePem(text), [a.der, b.der]);
  assert.deepEqual(
    parsePem(text).map((block) => block.label),
    ['CERTIFICATE', 'CERTIFICATE', 'PRIVATE KEY'],
  );
});

const cases: [name: string, text: string, message: RegExp][] = [
  ['no block', 'nothing here', /no CERTIFICATE block/],
  ['a key only', formatPem('PRIVATE KEY', Buffer.from('x')), /no CERTIFICATE block/],
  ['an open block', '-----BEGIN CERTIFICATE-----\nAAAA\n', /not closed/],
  ['a block closed by another label', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END KEY-----', /closed by END KEY/],
  ['no base64', '-----BEGIN CERTIFICATE-----\n*?*\n-----END CERTIFICATE-----', /not base64/],
];
for (const [name, text, message] of cases) {
  test(`refuses ${name}`, () => {
    assert.throws(() => parseCertificatePem(text), message);
  });
}
