// A peer that begins another handshake on a connection of TLS 1.2: the connection ends, at either end.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { systemClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { Scope } from '@weft/lib/metrics';
import { makeSampleRoot } from '@weft/lib/x509/sample-certificate';
import { compileDownstreamTls } from './downstream-tls.ts';
import { SecretSet } from './secret-set.ts';
import { inlineCertificate, makeWorkload, TlsTestServer } from './tls-pair.ts';
import { compileUpstreamTls } from './upstream-tls.ts';

const root = makeSampleRoot();
const own = makeWorkload(root, 'server');
const maxVersion = 'TLSv1.2';

/** Resolves with the error that the socket ends by. */
async function ending(socket: TLSSocket): Promise<string> {
  let message = 'no error';
  socket.on('error', (error) => {
    message = error.message;
  });
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return message;
}

test('a client that asks for a renegotiation is cut off', async (context) => {
  const issues: Issue[] = [];
  const scope = new Scope({ prefix: 'test' });
  const common = { commonTlsContext: { tlsCertificates: [inlineCertificate(own)] } };
  const tls = compileDownstreamTls(common, new SecretSet(systemClock), issues, 't', scope);
  assert.ok(tls);
  const server = new TlsTestServer(tls);
  context.after(() => server.close());
  const port = await server.listen();
  const client = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion });
  context.after(() => client.destroy());
  client.on('error', () => {});
  await once(client, 'secureConnect');
  const { socket } = await server.next();
  assert.ok(socket);
  socket.resume();
  client.renegotiate({}, () => {});
  assert.match(await ending(socket), /renegotiation/);
  assert.equal(scope.counter('ssl.connection_error').value, 1);
});

test('a server that asks for a renegotiation is cut off', async (context) => {
  const server = createServer({ cert: own.pem, key: own.keyPem, maxVersion });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const scope = new Scope({ prefix: 'test' });
  const validationContext = { trustedCa: { inlineString: root.pem } };
  const issues: Issue[] = [];
  const upstream = { commonTlsContext: { validationContext } };
  const tls = compileUpstreamTls(upstream, new SecretSet(systemClock), issues, 't', scope);
  assert.ok(tls);
  const accepted = once(server, 'secureConnection');
  const socket = tls.connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  context.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  const [peer] = (await accepted) as [TLSSocket];
  context.after(() => peer.destroy());
  peer.on('error', () => {});
  socket.resume();
  peer.renegotiate({}, () => {});
  assert.match(await ending(socket), /renegotiation/);
  assert.equal(scope.counter('ssl.connection_error').value, 1);
});
