import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { readClientHello } from './client-hello.ts';

async function recordHello(options: { servername?: string; ALPNProtocols?: string[] }): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ socket: connectTcp(port, '127.0.0.1'), rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  const [accepted] = await once(server, 'connection');
  const [bytes] = await once(accepted, 'data');
  accepted.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

test('reads server name and protocols of a real ClientHello', async () => {
  const hello = await recordHello({ servername: 'Reviews.Example', ALPNProtocols: ['istio', 'h2'] });
  assert.deepEqual(readClientHello(hello), { serverName: 'reviews.example', alpn: ['istio', 'h2'] });
});

test('asks for more at every shorter length and never throws', async () => {
  const hello = await recordHello({ servername: 'a.b' });
  for (let length = 0; length < hello.length; length++)
    assert.equal(readClientHello(hello.subarray(0, length)), 'more');
});

test('reads it whatever stands behind it in the same read', async () => {
  const hello = await recordHello({ servername: 'a.b', ALPNProtocols: ['h2'] });
  const changeCipherSpec = Buffer.from([20, 3, 3, 0, 1, 1]);
  const earlyData = Buffer.from([23, 3, 3, 0, 3, 1, 2, 3]);
  const flight = Buffer.concat([hello, changeCipherSpec, earlyData]);
  for (let length = hello.length; length <= flight.length; length++)
    assert.deepEqual(readClientHello(flight.subarray(0, length)), { serverName: 'a.b', alpn: ['h2'] });
  assert.equal(readClientHello(Buffer.concat([Buffer.from([22, 3, 1, 0, 1, 1]), earlyData])), 'other');
});

test('takes anything else for another protocol', () => {
  assert.equal(readClientHello(Buffer.from('GET / HTTP/1.1\r\n')), 'other');
  assert.equal(readClientHello(Buffer.from([22, 3, 1, 0, 5, 2, 0, 0, 1, 0])), 'other');
});

test('never throws on mutated bytes', async () => {
  const hello = await recordHello({ servername: 'a.b', ALPNProtocols: ['h2'] });
  for (let i = 0; i < hello.length; i++) {
    for (const value of [0, 1, 127, 255]) {
      const mutated = Buffer.from(hello);
      mutated[i] = value;
      assert.doesNotThrow(() => readClientHello(mutated));
    }
  }
});
