// The proxy that the HTTP/2 suite talks to: a process of its own in front of a server that answers each request.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { cluster, httpManager, listener, routeTo } from '../../feature/proxy/fixture.ts';
import { startProxyProcess } from '../../feature/proxy/process.ts';
import type { Cleanups } from '../../kit/cleanups.ts';

async function startServer(cleanups: Cleanups): Promise<number> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end('hello, world\n'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

function serverTls(): object {
  const { pem, keyPem } = makeSampleCertificate({ dnsNames: ['localhost'] });
  const certificate = { certificate_chain: { inline_string: pem }, private_key: { inline_string: keyPem } };
  const typed_config = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
    common_tls_context: { alpn_protocols: ['h2', 'http/1.1'], tls_certificates: [certificate] },
  };
  return { transport_socket: { name: 'envoy.transport_sockets.tls', typed_config } };
}

/** Starts both; the port of the proxy. */
export async function startSubject(cleanups: Cleanups, isTls: boolean): Promise<number> {
  const upstream = await startServer(cleanups);
  const made = listener('main', httpManager([routeTo('upstream')])) as { readonly filter_chains: readonly object[] };
  const filter_chains = made.filter_chains.map((chain) => ({ ...chain, ...(isTls ? serverTls() : {}) }));
  const proxy = await startProxyProcess(cleanups, {
    listeners: [{ ...made, filter_chains }],
    clusters: [cluster('upstream', [upstream])],
  });
  return proxy.port('main');
}
