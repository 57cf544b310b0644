import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { envoy } from '@weft/api/xds/types';
import { PausedClock, systemClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { makeSampleCertificate, makeSampleRoot, type SampleCertificate } from '@weft/lib/x509/sample-certificate';
import { makeSecret } from './secret.ts';
import { SecretSet } from './secret-set.ts';
import { silentLog } from './security-log.ts';
import { inlineCertificate } from './tls-pair.ts';

type Secret = envoy.extensions.transport_sockets.tls.v3.Secret;

const root = makeSampleRoot();
const web = makeSampleCertificate({ uris: ['spiffe://cluster.local/ns/default/sa/web'], issuer: root });
const other = makeSampleCertificate({ dnsNames: ['other.example'], issuer: root });
const sds = { ads: {} };

test('prepares everything before it changes anything', () => {
  const secrets = new SecretSet(new PausedClock());
  secrets.prepare(new Map<string, Secret>([['old', { tlsCertificate: inlineCertificate(web) }]]), [], '1').commit();
  const update = secrets.prepare(
    new Map<string, Secret>([['new', { tlsCertificate: inlineCertificate(other) }]]),
    ['old'],
    '2',
  );
  assert.equal(secrets.get('new'), null);
  assert.notEqual(secrets.get('old'), null);
  update.commit();
  assert.equal(secrets.get('old'), null);
  assert.equal(secrets.get('new')?.version, '2');
  assert.deepEqual(
    secrets.all().map(({ name }) => name),
    ['new'],
  );
});

const expired = makeSampleCertificate({ dnsNames: ['late.example'], notAfterMs: Date.UTC(2025, 0) });
const early = makeSampleCertificate({ notBeforeMs: Date.UTC(2030, 0) });
const rules = (message: object): Secret => ({ validationContext: message });
const bad: [name: string, secret: Secret, issues: [code: string, path: string][]][] = [
  ['an empty secret', {}, [['WEFT0702', 'secret[s]']]],
  ['a secret of another kind', { genericSecret: {} }, [['WEFT0702', 'secret[s]']]],
  [
    'missing parts',
    { tlsCertificate: {} },
    [
      ['WEFT0703', 'secret[s].tls_certificate'],
      ['WEFT0703', 'secret[s].tls_certificate'],
    ],
  ],
  [
    'unreadable parts, both',
    { tlsCertificate: { certificateChain: { inlineString: 'a' }, privateKey: { inlineString: 'b' } } },
    [
      ['WEFT0704', 'secret[s].tls_certificate.certificate_chain'],
      ['WEFT0704', 'secret[s].tls_certificate.private_key'],
    ],
  ],
  [
    'a key of another certificate',
    { tlsCertificate: { certificateChain: { inlineString: web.pem }, privateKey: { inlineString: other.keyPem } } },
    [['WEFT0705', 'secret[s].tls_certificate.private_key']],
  ],
  [
    'an expired certificate',
    { tlsCertificate: inlineCertificate(expired) },
    [['WEFT0706', 'secret[s].tls_certificate.certificate_chain']],
  ],
  [
    'a missing file',
    { tlsCertificate: { certificateChain: { filename: '/nowhere/a.pem' }, privateKey: { inlineString: web.keyPem } } },
    [['WEFT0701', 'secret[s].tls_certificate.certificate_chain.filename']],
  ],
  [
    'roots that are none',
    rules({ trustedCa: { inlineString: 'x' } }),
    [['WEFT0704', 'secret[s].validation_context.trusted_ca']],
  ],
  ['an empty source', rules({ trustedCa: {} }), [['WEFT0700', 'secret[s].validation_context.trusted_ca']]],
  [
    'what is not carried out',
    { tlsCertificate: { ...inlineCertificate(web), pkcs12: { inlineString: 'x' } } },
    [['WEFT0709', 'secret[s].tls_certificate.pkcs12']],
  ],
];
for (const [name, secret, expected] of bad) {
  test(`reports ${name}`, () => {
    const { issues } = new SecretSet(new PausedClock()).prepare(new Map([['s', secret]]), [], '1');
    assert.deepEqual(
      issues.map(({ code, path }) => [code, path]),
      expected,
    );
    assert.ok(issues.every(({ level }) => level === 'error'));
  });
}

test('no message about a key holds any of it', () => {
  const broken = web.keyPem.replace('A', 'B');
  const secret = {
    tlsCertificate: { certificateChain: { inlineString: web.pem }, privateKey: { inlineString: broken } },
  };
  const { issues } = new SecretSet(new PausedClock()).prepare(new Map([['s', secret]]), [], '1');
  assert.ok(issues.length > 0);
  const body = web.keyPem.split('\n')[1] ?? '';
  assert.equal(
    issues.some(({ message }) => message.includes(body.slice(8, 20))),
    false,
  );
});

test('warns about a certificate that is not valid yet', () => {
  const { issues } = new SecretSet(new PausedClock()).prepare(
    new Map([['s', { tlsCertificate: inlineCertificate(early) }]]),
    [],
    '1',
  );
  assert.deepEqual(
    issues.map(({ code, level }) => [code, level]),
    [['WEFT0707', 'warning']],
  );
});

test('reads an encrypted key with its password', () => {
  const keyPem = String(web.key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open' }));
  const parts = { certificateChain: { inlineString: web.pem }, privateKey: { inlineString: keyPem } };
  const prepare = (password: string) =>
    new SecretSet(new PausedClock()).prepare(
      new Map([['s', { tlsCertificate: { ...parts, password: { inlineString: password } } }]]),
      [],
      '1',
    );
  assert.deepEqual(prepare('open\n').issues, []);
  assert.deepEqual(
    prepare('wrong').issues.map(({ code }) => code),
    ['WEFT0704'],
  );
});

test('tells who waits about arrival, change and removal', () => {
  const secrets = new SecretSet(new PausedClock());
  const told: string[] = [];
  let replaced = 0;
  secrets.onReplaced = () => replaced++;
  const stop = secrets.onChange('s', (secret) => told.push(secret?.version ?? 'gone'));
  const put = (version: string) =>
    secrets.prepare(new Map([['s', { tlsCertificate: inlineCertificate(web) }]]), [], version).commit();
  put('1');
  put('2');
  secrets.prepare(new Map(), ['s'], '3').commit();
  stop();
  put('4');
  assert.deepEqual(told, ['1', '2', 'gone']);
  assert.equal(replaced, 4);
});

test('wants from SDS what contexts name, except what this process fills itself', () => {
  const secrets = new SecretSet(new PausedClock());
  const issues: Issue[] = [];
  const cells = ['default', 'kubernetes://cert'].map((name) =>
    secrets.reference({ name, sdsConfig: sds }, { issues, path: 'p' }),
  );
  assert.deepEqual(secrets.wanted(), ['default', 'kubernetes://cert']);
  let told: readonly string[] = [];
  secrets.onWanted = (names) => {
    told = names;
  };
  secrets.provideLocally(['default', 'ROOTCA']);
  assert.deepEqual(told, ['kubernetes://cert']);
  assert.equal(cells.length, 2);
  assert.deepEqual(issues, []);
});

test('nobody from outside replaces or removes what this process fills itself', () => {
  const secrets = new SecretSet(new PausedClock());
  secrets.provideLocally(['default']);
  secrets.put(makeSecret({ name: 'default', version: 'identity', clock: new PausedClock() }, {}));
  secrets.prepare(new Map([['default', { tlsCertificate: inlineCertificate(web) }]]), ['default'], '1').commit();
  assert.equal(secrets.get('default')?.version, 'identity');
});

test('lists what contexts carry themselves beside what has a name', () => {
  const secrets = new SecretSet(new PausedClock());
  const cell = secrets.ownCertificate(inlineCertificate(web), { issues: [], path: 'p' });
  assert.deepEqual(secrets.all(), [cell?.current]);
});

test('reports references that lead nowhere', () => {
  const secrets = new SecretSet(new PausedClock());
  const issues: Issue[] = [];
  const sink = { issues, path: 'p' };
  assert.equal(secrets.reference({}, sink), null);
  assert.equal(secrets.reference({ name: 'static' }, sink), null);
  assert.equal(secrets.reference({ name: 'file', sdsConfig: { pathConfigSource: { path: '/x' } } }, sink), null);
  assert.deepEqual(
    issues.map(({ code }) => code),
    ['WEFT0710', 'WEFT0712', 'WEFT0711'],
  );
});

function writeFiles(context: TestContext): { directory: string; replace(name: string, text: string): void } {
  const directory = mkdtempSync(join(tmpdir(), 'weft-secret-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const replace = (name: string, text: string): void => {
    writeFileSync(join(directory, `${name}.new`), text);
    renameSync(join(directory, `${name}.new`), join(directory, name));
  };
  return { directory, replace };
}

function fileSecret(directory: string): Secret {
  return {
    tlsCertificate: {
      certificateChain: { filename: join(directory, 'cert') },
      privateKey: { filename: join(directory, 'key') },
    },
  };
}

const secretKey = web.keyPem.split('\n')[1]?.slice(8, 24) ?? '';
const encrypted = (): string =>
  String(web.key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open' }));
const badFiles: [what: string, chain: string | null, key: string | null, message: RegExp][] = [
  ['that is missing', null, web.keyPem, /^cannot read \S+\/cert: there is no such file; check the path/],
  ['that is empty', '\n', web.keyPem, /^the certificates in \S+\/cert cannot be read: there is nothing; give PEM/],
  ['that is no PEM', 'nonsense', web.keyPem, /^the certificates in \S+\/cert cannot be read: .*no CERTIFICATE block/],
  ['with a key in place of a certificate', web.keyPem, web.keyPem, /^the certificates in \S+\/cert .*no CERTIFICATE/],
  ['that is damaged', web.pem.replace('-----END', '--'), web.keyPem, /^the certificates in \S+\/cert .*not closed/],
  ['of a key that is empty', web.pem, '', /^the private key in \S+\/key cannot be read: it is empty/],
  ['of a key that is no PEM', web.pem, '0\x82', /^the private key in \S+\/key cannot be read: it is not PEM/],
  ['of a key that holds none', web.pem, web.pem, /^the private key in \S+\/key .*holds a certificate and no key/],
  ['of a key that is damaged', web.pem, web.keyPem.replace('\nM', '\nN'), /^the private key in \S+\/key .*damaged/],
  ['of an encrypted key', web.pem, encrypted(), /^the private key in \S+\/key .*encrypted; give its password/],
  [
    'of the key of another',
    other.pem,
    web.keyPem,
    /^the private key in \S+\/key does not belong to the certificate of "other.example" in \S+\/cert; replace both/,
  ],
  [
    'of a certificate that is over',
    expired.pem,
    expired.keyPem,
    /^the certificate of "late.example" in \S+\/cert expired/,
  ],
];
for (const [what, chain, key, expected] of badFiles) {
  test(`names the file ${what}, and nothing of a key`, (context) => {
    const { directory, replace } = writeFiles(context);
    if (chain !== null) replace('cert', chain);
    if (key !== null) replace('key', key);
    const { issues } = new SecretSet(new PausedClock()).prepare(new Map([['s', fileSecret(directory)]]), [], '1');
    const messages = issues.map(({ message }) => message);
    assert.equal(messages.length, 1);
    assert.match(messages[0] ?? '', expected);
    assert.ok(secretKey !== '' && !messages.join().includes(secretKey));
  });
}

test('reports a revocation list that is none', (context) => {
  const { directory, replace } = writeFiles(context);
  replace('crl', 'x');
  const message = { trustedCa: { inlineString: root.pem }, crl: { filename: join(directory, 'crl') } };
  const { issues } = new SecretSet(new PausedClock()).prepare(new Map([['s', rules(message)]]), [], '1');
  assert.deepEqual(
    issues.map(({ code, path }) => [code, path]),
    [['WEFT0704', 'secret[s].validation_context.crl']],
  );
  assert.match(issues[0]?.message ?? '', /^the revocation list in \S+\/crl cannot be read/);
});

test('reloads files that changed and keeps what it has while they do not fit', (context) => {
  const { directory, replace } = writeFiles(context);
  const write = (certificate: SampleCertificate, key: SampleCertificate): void => {
    replace('cert', certificate.pem);
    replace('key', key.keyPem);
  };
  write(web, web);
  const warnings: string[] = [];
  const warn = (message: string, fields?: object): void => void warnings.push(`${message} ${JSON.stringify(fields)}`);
  const secrets = new SecretSet(new PausedClock(), { ...silentLog, warn });
  context.after(() => secrets.close());
  secrets.prepare(new Map([['named', fileSecret(directory)]]), [], '1').commit();
  const issues: Issue[] = [];
  const own = secrets.ownCertificate(fileSecret(directory).tlsCertificate ?? {}, { issues, path: 'p' });
  const serials = () => [secrets.get('named'), own?.current].map((secret) => secret?.certificate?.leaf.der);

  write(web, other);
  secrets.reloadFiles();
  assert.deepEqual(serials(), [web.der, web.der]);
  assert.equal(warnings.length, 2);
  const problem = `the private key in ${join(directory, 'key')} does not belong to the certificate`;
  assert.match(warnings[0] ?? '', /secret\[named\]\.private_key|secret\[named\]\.tls_certificate\.private_key/);
  assert.match(warnings[1] ?? '', / p\.private_key: /);
  assert.ok(warnings.every((line) => line.includes(problem)));
  write(other, other);
  secrets.reloadFiles();
  assert.deepEqual(serials(), [other.der, other.der]);
  const same = own?.current;
  secrets.reloadFiles();
  assert.equal(own?.current, same, 'files that did not change make no new version');
});

test('notices a changed file by itself', async (context) => {
  const { directory, replace } = writeFiles(context);
  replace('cert', web.pem);
  replace('key', web.keyPem);
  const secrets = new SecretSet(systemClock);
  context.after(() => secrets.close());
  secrets.prepare(new Map([['named', fileSecret(directory)]]), [], '1').commit();
  // The clock's timers do not keep a process alive; this one does while the test waits.
  const awake = setInterval(() => {}, 1000);
  const changed = new Promise((resolve) => secrets.onChange('named', resolve));
  replace('key', other.keyPem);
  replace('cert', other.pem);
  await changed;
  clearInterval(awake);
  assert.deepEqual(secrets.get('named')?.certificate?.leaf.der, other.der);
});
