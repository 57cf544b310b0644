// One port for both, and connections that say nothing or say it too slowly.

import assert from 'node:assert/strict';
import https from 'node:https';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { DualServer } from './dual-server.ts';
import { startTestApi, type TestApi } from './test-api.ts';

describe('DualServer', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  after(() => api.close());

  const secureStatus = (path: string) =>
    new Promise<number>((resolve, reject) => {
      const headers = { authorization: 'Bearer secret' };
      const options = { port: api.port, host: '127.0.0.1', path, ca: api.authority, headers, agent: false };
      https.get(options, (response) => resolve(response.resume().statusCode ?? 0)).on('error', reject);
    });

  it('serves HTTP and HTTPS on one port', async () => {
    assert.equal((await api.call('/version')).status, 200);
    assert.equal(await secureStatus('/version'), 200);
    assert.equal((await api.call('/version')).status, 200);
  });

  it('survives what is neither', async () => {
    for (const bytes of [Buffer.from([0x16, 3, 1, 0, 1, 99]), Buffer.from('\0\0\0'), Buffer.from('NONSENSE\r\n\r\n')]) {
      const socket = net.connect(api.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.end(bytes);
      await new Promise((resolve) => socket.once('close', resolve).resume());
    }
    assert.equal((await api.call('/version')).status, 200);
  });

  it('survives clients that leave in the middle of a handshake or of a request', async () => {
    const secure = tls.connect({ port: api.port, host: '127.0.0.1', ca: api.authority });
    secure.on('error', () => {});
    secure.once('connect', () => secure.destroy());
    await new Promise((resolve) => secure.once('close', resolve));
    const plain = net.connect(api.port, '127.0.0.1');
    plain.write(
      'POST /api/v1/namespaces/default/services HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer secret\r\ncontent-length: 100\r\n\r\n{',
      () => plain.destroy(),
    );
    await new Promise((resolve) => plain.once('close', resolve));
    assert.equal((await api.call('/version')).status, 200);
  });

  it('does not wait for a head that never ends', async () => {
    const server = new DualServer((_request, response) => response.end(), null, {
      headersMs: 50,
      requestMs: 50,
      keepAliveMs: 50,
    });
    const socket = net.connect(await server.listen(0, '127.0.0.1'), '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n');
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk) => (text += chunk));
      socket.once('close', () => resolve(text));
    });
    assert.match(answer, /^HTTP\/1\.1 408 /);
    await server.close();
  });
});
