// Every translation golden is something that proxies carry out: Weft's own and real Envoy accept all of it.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CertificateAuthority } from '@weft/control-plane/ca/certificate-authority';
import { makeRoot } from '@weft/control-plane/ca/root-certificate';
import { goldenDivider, parseGolden } from '@weft/control-plane/translate/golden-kit';
import { systemClock } from '@weft/lib/clock';
import { formatPem } from '@weft/lib/x509/pem';
import { freePorts } from '../kit/ports.ts';
import { AdsUnderTest } from './ads-under-test.ts';
import { type BootstrapNode, ProxyProcess, programs } from './proxy-process.ts';

const folder = join(import.meta.dirname, '../../control-plane/src/translate/testdata');
const cases = readdirSync(folder).filter((file) => file.endsWith('.golden.yaml'));

const redirectPorts = 'needs the two well-known ports of redirection, which others on this machine may use';
/** Cases that need what a test has not. */
const notHere: ReadonlyMap<string, string> = new Map([
  ['istio-sidecar.golden.yaml', redirectPorts],
  ['istio-sidecar-guarded.golden.yaml', redirectPorts],
  ['transparent-capture-tproxy.golden.yaml', 'needs the right to take connections to any address'],
]);

/** Why Envoy lacks what a case uses. */
function envoyLacks(input: string): string | null {
  if (input.includes('credentialSha256')) return "Envoy has not Weft's filter for the capture credential";
  return null;
}

/** The node with other ports to bind: tests share the machine. Ports that were equal stay equal. */
async function withFreePorts(node: BootstrapNode): Promise<BootstrapNode> {
  const wanted = new Set<number>();
  const bound = /"(port|listenPort|outboundPort|inboundPort|\d+)":(\d{4,5})/g;
  const text = JSON.stringify(node);
  const isBound = (key: string, port: number) => key !== 'port' || port === 15_100;
  for (const [, key = '', port] of text.matchAll(bound)) if (isBound(key, Number(port))) wanted.add(Number(port));
  const free = await freePorts(wanted.size);
  const replacement = new Map([...wanted].map((port, index) => [port, free[index] ?? 0]));
  return JSON.parse(
    text.replace(bound, (whole, key: string, port: string) => {
      const other = isBound(key, Number(port)) ? replacement.get(Number(port)) : undefined;
      return other === undefined ? whole : `"${key}":${other}`;
    }),
  ) as BootstrapNode;
}

const { certificateDer, keyPem } = await makeRoot('test', Date.now());
const root = formatPem('CERTIFICATE', certificateDer);
const files = { certificate: root, key: keyPem, chain: '', root };
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const leaf = await new CertificateAuthority(files, { clock: systemClock, trustDomain: 'test' }).issue({
  id: { trustDomain: 'test', namespace: 'default', serviceAccount: 'gateway' },
  publicKeyDer: publicKey.export({ type: 'spki', format: 'der' }),
  ttlMs: null,
  hosts: ['web.example'],
});
const leafKey = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));

/** The words that stand for certificates and keys as real ones. */
function withCertificates(input: string): string {
  return input
    .replaceAll(/tls\.crt: \w+/g, `tls.crt: ${JSON.stringify(leaf.pem)}`)
    .replaceAll(/ca\.crt: \w+/g, `ca.crt: ${JSON.stringify(root)}`)
    .replaceAll(/tls\.key: \w+/g, `tls.key: ${JSON.stringify(leafKey)}`);
}

for (const program of programs) {
  describe(`${program.name} accepts`, { skip: program.skip }, () => {
    for (const file of cases) {
      const [input = ''] = readFileSync(join(folder, file), 'utf8').split(goldenDivider);
      const skip = notHere.get(file) ?? (program.name === 'real Envoy' ? envoyLacks(input) : null) ?? false;
      test(file.replace('.golden.yaml', ''), { skip }, async () => {
        const mesh = new AdsUnderTest();
        await mesh.start();
        const { head, mesh: model } = parseGolden(withCertificates(input));
        mesh.ads.setMesh(model);
        const proxy = await ProxyProcess.start(program, mesh.address, await withFreePorts(head.node), 'DELTA_GRPC');
        try {
          const { missing } = await mesh.ads.waitForRevision(model.revision, 10_000, ({ isConnected }) => isConnected);
          assert.deepEqual(missing, []);
          await accepted(mesh, program.name === 'real Envoy');
        } finally {
          await proxy.stop();
          mesh.stop();
        }
      });
    }
  });
}

/** The proxy may connect only after the wait began with none. */
async function accepted(mesh: AdsUnderTest, mayWaitForSecrets: boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  for (;;) {
    const [status] = mesh.ads.statuses();
    assert.equal(status?.lastNack ?? null, null);
    // Envoy does not go on to its listeners while a cluster waits for the workload's own certificate, which nobody gives it here.
    const { lds, sds } = status?.types ?? {};
    if (status?.isInSync && (lds !== undefined || (mayWaitForSecrets && sds !== undefined))) return;
    if (performance.now() > endMs) assert.fail(`not in sync: ${JSON.stringify(status)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
