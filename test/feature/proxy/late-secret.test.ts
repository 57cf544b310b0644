// A listener with a certificate that does not come by SDS: its other chains serve after a while, and a version that serves goes on.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { connect } from 'node:tls';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { fetchOnce } from '../../kit/client.ts';
import { answerTo, type Json, listenerMessage, push, startDynamic } from './dynamic.ts';
import { httpManager, listener } from './fixture.ts';
import { everyWorkerServes } from './workers/fixture.ts';

const { pem, keyPem } = makeSampleCertificate();
const certificate = { certificate_chain: { inline_string: pem }, private_key: { inline_string: keyPem } };
const inline = { tls_certificates: [certificate] };

function bySds(name: string, timeout: string): Json {
  const source = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: timeout };
  return { tls_certificate_sds_secret_configs: [{ name, sds_config: source }] };
}

function chain(name: string, credentials: Json): Json {
  const typed = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
    common_tls_context: credentials,
  };
  return {
    filter_chain_match: { server_names: [name] },
    transport_socket: { name: 'tls', typed_config: typed },
    filters: [httpManager([])],
  };
}

function listening(...chains: Json[]): object {
  return listenerMessage({ ...listener('main'), filter_chains: chains });
}

/** Whether a client that names that server gets through its handshake. */
function isServed(context: TestContext, port: number, servername: string): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false });
  context.after(() => socket.destroy());
  return new Promise((resolve) => {
    socket.once('secureConnect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}

for (const workers of process.platform === 'linux' ? [1, 2] : [1]) {
  describe(`a secret that does not come, ${workers} ${workers === 1 ? 'worker' : 'workers'}`, () => {
    it('keeps a new listener waiting for initial_fetch_timeout, and its own chain for longer', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers);
      assert.equal(await push(stream, 'cluster', '1', []), null);
      const late = chain('late.test', bySds('late', '0.2s'));
      assert.equal(await push(stream, 'listener', '1', [listening(chain('good.test', inline), late)]), null);
      await everyWorkerServes(proxy);
      assert.equal((await proxy.admin('GET', '/ready')).status, 200);
      assert.equal(await isServed(context, proxy.port(), 'good.test'), true);
      assert.equal(await isServed(context, proxy.port(), 'late.test'), false);

      const secret = messageFromJson(
        'envoy.extensions.transport_sockets.tls.v3.Secret',
        { name: 'late', tls_certificate: certificate },
        [],
      );
      assert.equal((await answerTo(stream, stream.respond('secret', '1', [secret]))).errorDetail, undefined);
      assert.equal(await isServed(context, proxy.port(), 'late.test'), true);
    });

    it('leaves a listener that serves as it is', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers);
      assert.equal(await push(stream, 'cluster', '1', []), null);
      assert.equal(await push(stream, 'listener', '1', [listening(chain('good.test', inline))]), null);
      await everyWorkerServes(proxy);
      const port = proxy.port();
      const late = chain('good.test', bySds('late', '0.001s'));
      assert.equal(await push(stream, 'listener', '2', [listening(late)]), null);
      // By the time that another listener with that patience is up, this one could be, too.
      const other = { ...listener('other'), filter_chains: [chain('x.test', bySds('never', '0.1s'))] };
      assert.equal(await push(stream, 'listener', '3', [listening(late), listenerMessage(other)]), null);
      await everyWorkerServes(proxy);
      assert.notEqual(proxy.port('other'), 0);
      assert.equal(await isServed(context, port, 'good.test'), true);
      await assert.rejects(fetchOnce(context, proxy.port('other'), '/'));
    });
  });
}
