// One port for TLS, HTTP/1, HTTP/2 and everything else: the first bytes decide, and silence is waited for no longer than configured.

import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { openClient } from '../../kit/client.ts';
import { until, waitFor } from '../../kit/until.ts';
import { startTcpServer, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy, tcpProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const filters = 'type.googleapis.com/envoy.extensions.filters.listener';
const certificate = makeSampleCertificate({ dnsNames: ['secure.test'] });
const greeting = '220 mail.test ready\r\n';

/** A port whose protocol nobody declared, in front of four servers. */
async function startUndeclared(context: TestContext, more: Json = {}): Promise<TestProxy> {
  const web = await startUpstream(context);
  const mail = await startTcpServer(context, (socket) => {
    socket.write(greeting);
    socket.on('data', (chunk: Buffer) => socket.write(`<${chunk.toString()}>`));
  });
  const secure = createTlsServer({ key: certificate.keyPem, cert: certificate.pem }, (socket) => socket.end('secret'));
  const tls = await startTcpServer(context, (socket) => secure.emit('connection', socket));
  return startTestProxy(context, () => ({
    listeners: [
      {
        ...listener('main'),
        stat_prefix: 'front',
        listener_filters: [
          { name: 'tls', typed_config: { '@type': `${filters}.tls_inspector.v3.TlsInspector` } },
          { name: 'http', typed_config: { '@type': `${filters}.http_inspector.v3.HttpInspector` } },
        ],
        listener_filters_timeout: '60s',
        continue_on_listener_filters_timeout: true,
        filter_chains: [
          { filter_chain_match: { transport_protocol: 'tls' }, filters: [tcpProxy('tls')] },
          {
            filter_chain_match: { application_protocols: ['http/1.0', 'http/1.1', 'h2c'] },
            filters: [httpManager([routeTo('web')])],
          },
        ],
        default_filter_chain: { filters: [tcpProxy('mail')] },
        ...more,
      },
    ],
    clusters: [cluster('web', [web.port]), cluster('mail', [mail]), cluster('tls', [tls])],
  }));
}

/** Where silence is part of the test. */
const short = { listener_filters_timeout: '0.1s' };
const timeouts = 'listener.front.downstream_pre_cx_timeout';

describe('a port without a declared protocol', () => {
  it('takes HTTP/1', async (context) => {
    const proxy = await startUndeclared(context);
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/one')).text, 'GET /one');
  });

  it('takes HTTP/1 that comes byte by byte', async (context) => {
    const proxy = await startUndeclared(context);
    const client = await openClient(context, proxy.port());
    for (const byte of Buffer.from('GET /slow HTTP/1.1\r\nhost: a\r\n\r\n')) {
      await new Promise((resolve) => client.socket.write(Buffer.from([byte]), resolve));
    }
    assert.equal((await client.response()).text, 'GET /slow');
  });

  it('takes HTTP/1 whose first line is long and comes in parts', async (context) => {
    const proxy = await startUndeclared(context);
    const client = await openClient(context, proxy.port());
    const target = `/${'long'.repeat(12_000)}`;
    for (const part of [`GET ${target.slice(0, 9000)}`, target.slice(9000), ' HTTP/1.1\r\nhost: a\r\n\r\n']) {
      const passed = performance.now() + 20;
      await new Promise((resolve) => client.socket.write(part, resolve));
      await until('it is a read of its own', () => performance.now() > passed);
    }
    assert.equal((await client.response()).text, `GET ${target}`);
  });

  it('takes HTTP/2 by its preface', async (context) => {
    const proxy = await startUndeclared(context);
    const session = connectHttp2(`http://127.0.0.1:${proxy.port()}`);
    context.after(() => session.destroy());
    const stream = session.request({ ':path': '/two' });
    const [headers] = await waitFor(stream, 'response');
    assert.equal((headers as Record<string, unknown>)[':status'], 200);
  });

  it('passes TLS through', async (context) => {
    const proxy = await startUndeclared(context);
    const options = { port: proxy.port(), host: '127.0.0.1', servername: 'secure.test', ca: certificate.pem };
    const socket = connectTls(options);
    context.after(() => socket.destroy());
    const [answer] = await waitFor(socket, 'data');
    assert.equal(String(answer), 'secret');
  });

  it('takes what is none of these as TCP at once', async (context) => {
    const proxy = await startUndeclared(context);
    const client = await openClient(context, proxy.port());
    client.send('\x00\x01\x02');
    assert.match((await client.received(greeting.length + 5)).toString(), /ready\r\n<\0\x01\x02>$/);
  });

  it('gives a client that waits for the server its greeting after the time configured', async (context) => {
    const proxy = await startUndeclared(context, short);
    const client = await openClient(context, proxy.port());
    assert.equal((await client.received(greeting.length)).toString(), greeting);
    client.send('EHLO\r\n');
    assert.match((await client.received(greeting.length + 8)).toString(), /<EHLO\r\n>$/);
    assert.equal(proxy.stat(timeouts), 1);
  });

  it('ends a silent connection where it may not go on', async (context) => {
    const proxy = await startUndeclared(context, { ...short, continue_on_listener_filters_timeout: false });
    const client = await openClient(context, proxy.port());
    await client.closed();
    assert.equal(client.rest.length, 0);
    assert.equal(proxy.stat(timeouts), 1);
  });

  it('does not take a request for silence when the process was too busy to read it', async (context) => {
    const proxy = await startUndeclared(context, short);
    const client = await openClient(context, proxy.port());
    await until('it is accepted', () => proxy.stat('listener.front.downstream_cx_total') === 1);
    client.request('GET', '/late');
    const busyUntilMs = performance.now() + 200;
    while (performance.now() < busyUntilMs);
    assert.equal((await client.response()).text, 'GET /late');
    assert.equal(proxy.stat(timeouts), 0);
  });
});
