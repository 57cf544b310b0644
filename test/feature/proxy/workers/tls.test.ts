// TLS with two workers: what one of them began, any goes on with.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { temporaryFolder } from '../../../kit/folder.ts';
import { waitFor } from '../../../kit/until.ts';
import { httpManager, type TestProxy } from '../fixture.ts';
import { enoughConnections, everyWorkerServes, killWorker, spread, startTwoWorkers } from './fixture.ts';

const skip = process.platform === 'linux' ? false : 'workers share ports on Linux only';
const { pem, keyPem } = makeSampleCertificate();

const ownPem = { certificate_chain: { inline_string: pem }, private_key: { inline_string: keyPem } };

const securedBy = (credentials: object) => ({
  name: 'main',
  address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
  filter_chains: [
    {
      filters: [httpManager([])],
      transport_socket: {
        name: 'envoy.transport_sockets.tls',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
          common_tls_context: credentials,
        },
      },
    },
  ],
});

async function dial(context: TestContext, port: number, session?: Buffer): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(session && { session }) });
  context.after(() => socket.destroy());
  await waitFor(socket, 'secureConnect');
  return socket;
}

/** A session, once the server has sent a ticket for it. */
async function begin(context: TestContext, port: number): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  context.after(() => socket.destroy());
  socket.resume();
  const [session] = (await waitFor(socket, 'session')) as [Buffer];
  return session;
}

describe('TLS sessions of two workers', { skip }, () => {
  it('are resumed by either, also by one that took the place of a dead one', async (context) => {
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [securedBy({ tls_certificates: [ownPem] })],
      clusters: [],
    }));
    const session = await begin(context, proxy.port());
    const resumeAll = async (): Promise<void> => {
      for (let i = 0; i < enoughConnections; i++) {
        const socket = await dial(context, proxy.port(), session);
        assert.ok(socket.isSessionReused(), `connection ${i}`);
      }
    };
    await resumeAll();
    assert.ok((await spread(proxy)).every((count) => count > 0));
    await killWorker(proxy, 0);
    await everyWorkerServes(proxy);
    await resumeAll();
  });
});

describe('a worker that dies', { skip }, () => {
  /** Both workers are others, and serve TLS. */
  async function replaceBoth(context: TestContext, proxy: TestProxy): Promise<void> {
    await killWorker(proxy, 0);
    await killWorker(proxy, 1);
    await everyWorkerServes(proxy);
    for (let i = 0; i < enoughConnections; i++) await dial(context, proxy.port());
    assert.ok((await spread(proxy)).every((count) => count > 0));
  }

  it('is replaced although its certificate file is being written, and has the certificate that holds', async (context) => {
    const folder = temporaryFolder(context);
    const [chain, key] = [join(folder, 'chain.pem'), join(folder, 'key.pem')];
    writeFileSync(chain, pem);
    writeFileSync(key, keyPem);
    const credentials = {
      tls_certificates: [{ certificate_chain: { filename: chain }, private_key: { filename: key } }],
    };
    const proxy = await startTwoWorkers(context, () => ({ listeners: [securedBy(credentials)], clusters: [] }));
    writeFileSync(chain, pem.slice(0, 100));
    proxy.running.secrets.reloadFiles();
    await replaceBoth(context, proxy);
  });

  it('is replaced although its file of secrets has gone', async (context) => {
    const path = join(temporaryFolder(context), 'sds.json');
    const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
    writeFileSync(path, JSON.stringify({ resources: [{ '@type': type, name: 'web', tls_certificate: ownPem }] }));
    const credentials = {
      tls_certificate_sds_secret_configs: [{ name: 'web', sds_config: { path_config_source: { path } } }],
    };
    const proxy = await startTwoWorkers(context, () => ({ listeners: [securedBy(credentials)], clusters: [] }));
    rmSync(path);
    await replaceBoth(context, proxy);
  });
});
