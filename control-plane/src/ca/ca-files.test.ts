import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseCertificate } from '@weft/lib/x509/certificate';
import { parseCertificatePem } from '@weft/lib/x509/pem';
import { makeSampleCertificate, makeSampleRoot, type SampleCertificate } from '@weft/lib/x509/sample-certificate';
import { loadOrMakeAuthority, readAuthority } from './ca-files.ts';
import { makeTestDirectory } from './ca-kit.ts';

const nowMs = Date.UTC(2026, 5, 1, 12);
const options = { trustDomain: 'cluster.local', nowMs };

function directoryOf(context: TestContext): string {
  return makeTestDirectory((callback) => context.after(callback));
}

test('makes a root once and keeps it over restarts', async (context) => {
  const directory = join(directoryOf(context), 'state', 'ca');
  const first = await loadOrMakeAuthority(directory, options);
  const second = await loadOrMakeAuthority(directory, { ...options, nowMs: nowMs + 86_400_000 });
  assert.deepEqual(second, first);
  assert.deepEqual(readdirSync(join(directory, '..')), ['ca'], 'nothing half made is left');
  assert.equal(statSync(join(directory, 'ca-key.pem')).mode & 0o777, 0o600);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  const root = parseCertificate(parseCertificatePem(first.root)[0] as Buffer);
  assert.equal(root.isCa, true);
  assert.match(root.subject, /^CN=weft root [0-9a-f]{8},O=cluster\.local$/);
  assert.equal(root.notBeforeMs, nowMs - 120_000);
  assert.equal(root.notAfterMs, Date.UTC(2036, 5, 1, 12));
});

test('two that start at once agree on one root', async (context) => {
  const directory = join(directoryOf(context), 'ca');
  const [a, b] = await Promise.all([loadOrMakeAuthority(directory, options), loadOrMakeAuthority(directory, options)]);
  assert.deepEqual(a, b);
  assert.deepEqual(readdirSync(join(directory, '..')), ['ca']);
});

const root = makeSampleRoot();
const middle = makeSampleCertificate({ commonName: 'middle', isCa: true, issuer: root });
const signing = makeSampleCertificate({ commonName: 'signing', isCa: true, issuer: middle });
const stranger = makeSampleRoot('stranger');

/** Writes Istio's `cacerts` layout; an empty text leaves the file out. */
function write(context: TestContext, files: Record<string, string>): string {
  const directory = join(directoryOf(context), 'ca');
  mkdirSync(directory);
  for (const [name, text] of Object.entries(files)) if (text !== '') writeFileSync(join(directory, name), text);
  return directory;
}

function layout(certificate: SampleCertificate, chain: string, rootPem: string, keyPem = certificate.keyPem) {
  return { 'ca-cert.pem': certificate.pem, 'ca-key.pem': keyPem, 'cert-chain.pem': chain, 'root-cert.pem': rootPem };
}

test('takes an authority given as files, with its intermediates', (context) => {
  const chain = signing.pem + middle.pem;
  const files = readAuthority(write(context, layout(signing, chain, root.pem)), nowMs);
  assert.deepEqual(files, { certificate: signing.pem, key: signing.keyPem, chain, root: root.pem });
});

test('takes a root alone, which then trusts itself', (context) => {
  const files = readAuthority(write(context, layout(root, '', '')), nowMs);
  assert.equal(files.root, root.pem);
});

test('leaves a given authority untouched', async (context) => {
  const directory = write(context, layout(root, '', ''));
  await loadOrMakeAuthority(directory, options);
  assert.equal(readFileSync(join(directory, 'ca-cert.pem'), 'utf8'), root.pem);
});

const expired = makeSampleCertificate({ isCa: true, notAfterMs: nowMs - 1000 });
const leaf = makeSampleCertificate({ issuer: root });
const broken: [name: string, files: Record<string, string>, message: RegExp][] = [
  ['a key of another', layout(root, '', '', stranger.keyPem), /WEFT0751|ca-key\.pem does not belong/],
  ['a leaf', layout(leaf, '', root.pem), /CA:FALSE/],
  ['an expired one', layout(expired, '', ''), /expired at 2026/],
  ['a missing intermediate', layout(signing, signing.pem, root.pem), /no path leads/],
  ['a foreign root', layout(signing, middle.pem, stranger.pem), /no path leads/],
  ['no key', { ...layout(root, '', ''), 'ca-key.pem': '' }, /cannot read .*ca-key\.pem/],
  ['no PEM', { ...layout(root, '', ''), 'ca-cert.pem': 'hello' }, /ca-cert\.pem: PEM: there is no CERTIFICATE block/],
  ['a key that is none', layout(root, '', '', 'hello'), /ca-key\.pem: /],
  ['a root that is none', layout(signing, middle.pem, 'hello'), /root-cert\.pem: PEM: there is no CERTIFICATE block/],
];
for (const [name, files, message] of broken) {
  test(`refuses ${name} and says which file`, (context) => {
    const directory = write(context, files);
    assert.throws(() => readAuthority(directory, nowMs), message);
  });
}
