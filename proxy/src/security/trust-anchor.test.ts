// What ends a chain: whatever certificate is trusted, be it a root, an intermediate or the peer's own.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connect } from 'node:tls';
import { systemClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { makeSampleCertificate, makeSampleRoot, type SampleCertificate } from '@weft/lib/x509/sample-certificate';
import { compileDownstreamTls } from './downstream-tls.ts';
import { SecretSet } from './secret-set.ts';
import { inlineCertificate, makeWorkload, TlsTestServer, takesServer } from './tls-pair.ts';

const root = makeSampleRoot();
const intermediate = makeSampleCertificate({ commonName: 'intermediate', isCa: true, issuer: root });
const peers = {
  'of the root': makeWorkload(root, 'peer'),
  'of the intermediate': makeWorkload(intermediate, 'peer'),
  'of another root': makeWorkload(makeSampleRoot('another root'), 'peer'),
};
type Peer = keyof typeof peers;
const names = Object.keys(peers) as Peer[];

function shown(peer: Peer): { cert: string; key: string } {
  const { pem, keyPem } = peers[peer];
  return { cert: peer === 'of the intermediate' ? pem + intermediate.pem : pem, key: keyPem };
}

const anchors: [what: string, trusted: SampleCertificate, accepted: Peer[]][] = [
  ['a root', root, ['of the root', 'of the intermediate']],
  ['an intermediate', intermediate, ['of the intermediate']],
  ["the peer's own certificate", peers['of the root'], ['of the root']],
];

describe('a listener that trusts', () => {
  const ownName = makeSampleCertificate({ dnsNames: ['in.test'], issuer: root });
  for (const [what, trusted, accepted] of anchors) {
    it(`${what} takes the clients below it, with and without a server name`, async (context) => {
      const issues: Issue[] = [];
      const validationContext = { trustedCa: { inlineString: trusted.pem } };
      const tlsCertificates = [inlineCertificate(makeWorkload(root, 'server')), inlineCertificate(ownName)];
      const common = { tlsCertificates, validationContext };
      const downstream = { requireClientCertificate: true, commonTlsContext: common };
      const tls = compileDownstreamTls(downstream, new SecretSet(systemClock), issues, 't');
      assert.deepEqual(issues, []);
      assert.ok(tls);
      const server = new TlsTestServer(tls);
      context.after(() => server.close());
      const port = await server.listen();
      for (const more of [{}, { servername: 'in.test' }]) {
        const taken: Peer[] = [];
        for (const peer of names) {
          const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...more, ...shown(peer) });
          socket.on('error', () => {});
          context.after(() => socket.destroy());
          if ((await server.next()).reason === '') taken.push(peer);
        }
        assert.deepEqual(taken, accepted);
      }
    });
  }
});

describe('a cluster that trusts', () => {
  for (const [what, trusted, accepted] of anchors) {
    it(`${what} takes the servers below it`, async (context) => {
      const taken: Peer[] = [];
      const rules = { trustedCa: { inlineString: trusted.pem } };
      for (const peer of names) if (await takesServer(context, rules, shown(peer))) taken.push(peer);
      assert.deepEqual(taken, accepted);
    });
  }
});
