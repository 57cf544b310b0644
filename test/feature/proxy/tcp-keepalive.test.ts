// Probes of TCP on connections to endpoints, as the kernel tells of them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createPlain, type Server, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { createServer as createTls, TLSSocket } from 'node:tls';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { openClient } from '../../kit/client.ts';
import { until } from '../../kit/until.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy } from './fixture.ts';

const certificate = makeSampleCertificate({ commonName: 'in.test', dnsNames: ['in.test'] });

const tls = {
  transport_socket: {
    name: 'tls',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext' },
  },
};

const proxyHeader = {
  transport_socket: {
    name: 'proxy',
    typed_config: {
      '@type':
        'type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport',
      config: {},
      ...tls,
    },
  },
};

const answer = (socket: Socket): void => {
  socket.on('error', () => {}).on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
};

// What comes behind the header is TLS.
const takeHeader = (socket: Socket): void => {
  socket.once('data', (chunk: Buffer) => {
    socket.pause();
    socket.unshift(chunk.subarray(chunk.indexOf('\r\n') + 2));
    const secure = new TLSSocket(socket, { isServer: true, cert: certificate.pem, key: certificate.keyPem });
    answer(secure);
  });
};

/** Seconds until the kernel probes the peer of the connection between those ports; NaN when it never will. proc(5), `/proc/net/tcp`. */
function secondsToProbe(from: number, to: number): number {
  const hex = (port: number): string => `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  const fields = rows
    .map((row) => row.trim().split(/\s+/))
    .find(([, local = '', remote = '']) => local.endsWith(hex(from)) && remote.endsWith(hex(to)));
  const [timer, ticks] = (fields?.[5] ?? '').split(':');
  return timer === '02' ? Number.parseInt(ticks ?? '', 16) / 100 : Number.NaN;
}

describe('tcp_keepalive', { skip: process.platform === 'linux' ? false : 'reads /proc/net/tcp' }, () => {
  const servers: readonly (readonly [string, object, () => Server])[] = [
    ['without TLS', {}, () => createPlain(answer)],
    ['with TLS', tls, () => createTls({ cert: certificate.pem, key: certificate.keyPem }, answer)],
    ['with a PROXY protocol header before TLS', proxyHeader, () => createPlain(takeHeader)],
  ];
  for (const [name, more, makeServer] of servers) {
    it(`is asked of connections ${name}`, async (context) => {
      const ports: number[] = [];
      const server = makeServer().on('connection', (socket: Socket) => ports.push(socket.remotePort ?? 0));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      context.after(() => server.close());
      const address = server.address();
      assert.ok(typeof address === 'object' && address !== null);
      const options = { upstream_connection_options: { tcp_keepalive: { keepalive_time: 30 } } };
      const proxy = await startTestProxy(context, () => ({
        listeners: [listener('main', httpManager([routeTo('a')]))],
        clusters: [cluster('a', [address.port], { ...options, ...more })],
      }));
      const client = await openClient(context, proxy.port());
      assert.equal((await client.fetch('GET', '/')).status, 200);
      // While a byte is not acknowledged another timer runs.
      let seconds = Number.NaN;
      await until('it is set', () => {
        seconds = secondsToProbe(ports[0] ?? 0, address.port);
        return seconds > 0;
      });
      assert.ok(seconds > 10 && seconds <= 30, String(seconds));
    });
  }
});
