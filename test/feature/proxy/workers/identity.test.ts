// The workload's identity with several workers: one key, one request to the authority, the same certificate in every worker.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { connect, type PeerCertificate } from 'node:tls';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { FakeCa } from '@weft/proxy/security/identity/fake-ca';
import { temporaryFolder } from '../../../kit/folder.ts';
import { until } from '../../../kit/until.ts';
import { cluster, httpManager, listener } from '../fixture.ts';
import { enoughConnections, everyWorkerServes, killWorker, spread, startTwoWorkers } from './fixture.ts';

const skip = process.platform === 'linux' ? false : 'workers share ports on Linux only';
const spiffeId = 'spiffe://cluster.local/ns/default/sa/web';
const tls = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.';

function transportSocket(type: string, common: object): object {
  return { name: 'tls', typed_config: { '@type': `${tls}${type}`, common_tls_context: common } };
}

/** The certificate that a server shows. */
function certificateAt(context: TestContext, port: number): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    context.after(() => socket.destroy());
    socket.on('error', reject);
  });
}

async function shownSerials(context: TestContext, port: number): Promise<Set<string>> {
  const shown = Array.from({ length: enoughConnections }, () => certificateAt(context, port));
  return new Set((await Promise.all(shown)).map(({ serialNumber }) => serialNumber));
}

async function startAuthority(context: TestContext): Promise<FakeCa> {
  const ca = new FakeCa();
  ca.answer = ({ publicKeyDer }) => [
    makeSampleCertificate({ uris: [spiffeId], issuer: ca.root, publicKeyDer }).pem,
    ca.root.pem,
  ];
  await ca.listen();
  context.after(() => ca.close());
  return ca;
}

describe('the identity of two workers', { skip }, () => {
  it('is one, also for a worker that comes later', async (context) => {
    const ca = await startAuthority(context);
    const folder = temporaryFolder(context);
    const [joinTokenPath, trustBundlePath] = [join(folder, 'token'), join(folder, 'roots.pem')];
    writeFileSync(joinTokenPath, 'token\n');
    writeFileSync(trustBundlePath, ca.root.pem);
    const roots = { validation_context: { trusted_ca: { filename: trustBundlePath } } };
    const own = { tls_certificate_sds_secret_configs: [{ name: 'default' }] };
    const config = { caCluster: 'ca', joinTokenPath, trustBundlePath, spiffeId };
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [
        {
          ...listener('main'),
          filter_chains: [
            { filters: [httpManager([])], transport_socket: transportSocket('DownstreamTlsContext', own) },
          ],
        },
      ],
      clusters: [
        cluster('ca', [ca.port], {
          transport_socket: transportSocket('UpstreamTlsContext', { ...roots, alpn_protocols: ['h2'] }),
        }),
      ],
      more: {
        bootstrap_extensions: [
          {
            name: 'weft.identity',
            typed_config: { '@type': 'type.googleapis.com/weft.extensions.identity.v1.WorkloadIdentity', ...config },
          },
        ],
      },
    }));
    await until('there is a certificate', () => proxy.running.identity?.state.status === 'valid');
    await until('it listens', () => proxy.running.listeners.all().some((one) => one.port !== 0));
    await everyWorkerServes(proxy);
    const port = proxy.port();
    assert.equal((await shownSerials(context, port)).size, 1);
    assert.ok((await spread(proxy)).every((count) => count > 0));

    await killWorker(proxy, 0);
    await everyWorkerServes(proxy);
    assert.equal((await shownSerials(context, port)).size, 1);
    assert.equal(ca.seen.length, 1);

    const before = await shownSerials(context, port);
    await proxy.running.identity?.renew();
    await proxy.running.workers?.settled();
    const after = await shownSerials(context, port);
    assert.equal(after.size, 1);
    assert.notDeepEqual(after, before);
  });
});
