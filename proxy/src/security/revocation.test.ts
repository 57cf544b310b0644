// Certificates that were taken back: wherever a list of them stands, neither clients nor servers pass with one.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { connect } from 'node:tls';
import type { envoy } from '@weft/api/xds/types';
import { systemClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import {
  makeSampleCertificate,
  makeSampleRevocationList,
  makeSampleRoot,
  type SampleCertificate,
} from '@weft/lib/x509/sample-certificate';
import { compileDownstreamTls } from './downstream-tls.ts';
import { SecretSet } from './secret-set.ts';
import { inlineCertificate, makeWorkload, TlsTestServer, takesServer } from './tls-pair.ts';
import { compileUpstreamTls } from './upstream-tls.ts';

type Validation = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;

const root = makeSampleRoot();
const intermediate = makeSampleCertificate({ commonName: 'intermediate', isCa: true, issuer: root });
const good = makeWorkload(root, 'good');
const bad = makeWorkload(root, 'bad');
const goodBelow = makeWorkload(intermediate, 'good');
const badBelow = makeWorkload(intermediate, 'bad');
const ofRoot = makeSampleRevocationList(root, [bad]);
const ofIntermediate = makeSampleRevocationList(intermediate, [badBelow]);

const inline = (...texts: string[]): { inlineString: string } => ({ inlineString: texts.join('') });

function chainOf(sample: SampleCertificate): { cert: string; key: string } {
  const isBelow = sample === goodBelow || sample === badBelow;
  return { cert: isBelow ? sample.pem + intermediate.pem : sample.pem, key: sample.keyPem };
}

/** Which of the four a listener with these rules lets in. */
async function admitted(context: TestContext, validationContext: Validation): Promise<string[]> {
  const issues: Issue[] = [];
  const tlsCertificates = [inlineCertificate(makeWorkload(root, 'server'))];
  const downstream = { requireClientCertificate: true, commonTlsContext: { tlsCertificates, validationContext } };
  const tls = compileDownstreamTls(downstream, new SecretSet(systemClock), issues, 't');
  assert.deepEqual(issues, []);
  assert.ok(tls);
  const server = new TlsTestServer(tls);
  context.after(() => server.close());
  const port = await server.listen();
  const names: string[] = [];
  for (const [name, sample] of Object.entries({ good, bad, goodBelow, badBelow })) {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...chainOf(sample) });
    socket.on('error', () => {});
    context.after(() => socket.destroy());
    if ((await server.next()).reason === '') names.push(name);
  }
  return names;
}

describe('a revoked certificate', () => {
  const places: [where: string, context: Validation][] = [
    ['crl', { trustedCa: inline(root.pem), crl: inline(ofRoot, ofIntermediate) }],
    ['trusted_ca', { trustedCa: inline(root.pem, ofIntermediate, ofRoot) }],
    ['one in each', { trustedCa: inline(ofIntermediate, root.pem), crl: inline(ofRoot) }],
  ];
  for (const [where, validation] of places) {
    it(`is refused with the lists in ${where}, others are taken`, async (context) => {
      assert.deepEqual(await admitted(context, validation), ['good', 'goodBelow']);
      assert.equal(await takesServer(context, validation, chainOf(good)), true);
      assert.equal(await takesServer(context, validation, chainOf(bad)), false);
    });
  }

  it('passes where no list names it', async (context) => {
    const trustedCa = inline(root.pem);
    assert.deepEqual(await admitted(context, { trustedCa }), ['good', 'bad', 'goodBelow', 'badBelow']);
  });
});

it('a list among the trusted certificates that cannot be read is an error there', () => {
  const issues: Issue[] = [];
  const broken = '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n';
  const validationContext = { trustedCa: inline(root.pem, broken) };
  assert.equal(
    compileUpstreamTls({ commonTlsContext: { validationContext } }, new SecretSet(systemClock), issues, 't'),
    null,
  );
  assert.deepEqual(
    issues.map(({ code, path }) => [code, path]),
    [['WEFT0704', 't.common_tls_context.validation_context.trusted_ca']],
  );
});
