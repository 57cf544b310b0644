// Clients over HTTP/1 that read late, leave early, or ask in odd ways.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { openClient, type RawClient } from '../../kit/client.ts';
import { temporaryFolder } from '../../kit/folder.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until, waitFor } from '../../kit/until.ts';
import { closeMidBody, raw, reply, stall, startTcpServer, startUpstream } from '../../kit/upstream.ts';
import { listenerMessage, push, startDynamic } from './dynamic.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

interface Parts {
  readonly routes?: readonly Json[];
  readonly manager?: Json;
  readonly listener?: Json;
  readonly cluster?: Json;
  readonly clock?: LeapClock;
}

async function proxyTo(context: TestContext, port: number, parts: Parts = {}): Promise<TestProxy> {
  const { routes = [routeTo('a')], manager = {}, clock } = parts;
  return startTestProxy(
    context,
    (logPath) => ({
      listeners: [{ ...listener('main', httpManager(routes, { logPath, manager })), ...parts.listener }],
      clusters: [cluster('a', [port], parts.cluster)],
    }),
    clock,
  );
}

/** Reads on only now. */
function paused(client: RawClient): RawClient {
  client.socket.pause();
  return client;
}

describe('a client that pipelines and does not read', () => {
  const count = 20_000;
  const body = 'x'.repeat(3000);
  const direct = { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: body } } };

  it('is answered as far as its side takes the answers, and all of it when it reads', async (context) => {
    const proxy = await proxyTo(context, 1, { routes: [direct] });
    const client = paused(await openClient(context, proxy.port()));
    client.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(count));
    const answered = () => proxy.stat('http.test.downstream_rq_total');
    let last = -1;
    let looks = 0;
    await until('no more are answered', () => {
      looks = answered() === last ? looks + 1 : 0;
      last = answered();
      return last > 0 && looks > 20;
    });
    assert.ok(answered() < count / 2, `${answered()} of ${count} were answered to nobody`);
    client.socket.resume();
    for (let i = 0; i < count; i++) assert.equal((await client.response()).body.length, body.length);
  });
});

describe('a body that is still on its way when it has its answer', () => {
  it('gets no second one when it breaks the rules', async (context) => {
    const direct = { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'answer' } } };
    const proxy = await proxyTo(context, 1, { routes: [direct] });
    const client = await openClient(context, proxy.port());
    client.send('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
    assert.equal((await client.response()).text, 'answer');
    client.send('no chunk\r\n');
    await client.closed();
    assert.equal(client.rest.toString(), '');
    assert.equal(proxy.stat('http.test.downstream_rq_total'), 1);
  });
});

describe('a client that leaves', () => {
  it('takes its request along, also where its connection to the endpoint was opened for it', async (context) => {
    const upstream = await startUpstream(context, [stall()]);
    const proxy = await proxyTo(context, upstream.port, { routes: [routeTo('a', { timeout: '0s' })] });
    const client = await openClient(context, proxy.port());
    client.request('POST', '/', {}, 'hello');
    await upstream.request(1);
    client.close();
    await until('the endpoint is left, too', () => upstream.openSockets.size === 0);
    assert.equal(proxy.stat('http.test.downstream_rq_active'), 0);
  });

  it('in the middle of a TLS handshake leaves nothing behind', async (context) => {
    const { pem, keyPem } = makeSampleCertificate({ commonName: 'a.test', dnsNames: ['a.test'] });
    const pair = { certificate_chain: { inline_string: pem }, private_key: { inline_string: keyPem } };
    const typed = {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      common_tls_context: { tls_certificates: [pair] },
    };
    const main = listener('main', httpManager([routeTo('a')]));
    const [chain] = main.filter_chains as Json[];
    const secure = { filter_chains: [{ ...chain, transport_socket: { name: 'tls', typed_config: typed } }] };
    const proxy = await proxyTo(context, 1, { listener: secure });
    for (const start of [Buffer.alloc(0), Buffer.from('1603010200010001fc0303', 'hex')]) {
      const client = await openClient(context, proxy.port());
      const name = 'listener.127.0.0.1_0.downstream_cx_active';
      await until('it is connected', () => proxy.stat(name) === 1);
      client.socket.end(start);
      await until('it is forgotten', () => proxy.stat(name) === 0);
      await client.closed();
    }
  });
});

describe('a body', () => {
  it('larger than the buffer limit passes while the connection to the endpoint is opened', async (context) => {
    const upstream = await startUpstream(context, [reply(200)]);
    const proxy = await proxyTo(context, upstream.port, { listener: { per_connection_buffer_limit_bytes: 32_768 } });
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('POST', '/', {}, 'x'.repeat(200_000))).status, 200);
    assert.equal(upstream.requests[0]?.body.length, 200_000);
  });

  it('of a client that speaks HTTP/1.0 is not waited for with 100', async (context) => {
    const upstream = await startUpstream(context, [reply(200)]);
    const proxy = await proxyTo(context, upstream.port, {
      manager: { http_protocol_options: { accept_http_10: true } },
    });
    const client = await openClient(context, proxy.port());
    client.send('POST / HTTP/1.0\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nok');
    assert.equal((await client.response()).status, 200);
  });
});

describe('time-outs of a connection', () => {
  it('count the idle time from the end of the last response', async (context) => {
    const clock = new LeapClock();
    const held: Socket[] = [];
    const upstream = await startUpstream(context, [(socket) => held.push(socket)]);
    const manager = { common_http_protocol_options: { idle_timeout: '10s' } };
    const proxy = await proxyTo(context, upstream.port, { clock, manager, routes: [routeTo('a', { timeout: '0s' })] });
    const client = await openClient(context, proxy.port());
    client.request('GET', '/');
    await upstream.request(1);
    await clock.leap(15_000);
    held[0]?.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    assert.equal((await client.response()).status, 200);
    await clock.leap(8000);
    client.request('GET', '/');
    await upstream.request(2);
    held[1]?.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    assert.equal((await client.response()).status, 200);
    await clock.leap(11_000);
    await client.closed();
  });

  it('count that of a head from when it could be read', async (context) => {
    const clock = new LeapClock();
    const held: Socket[] = [];
    const upstream = await startUpstream(context, [(socket) => held.push(socket)]);
    const manager = { request_headers_timeout: '10s' };
    const proxy = await proxyTo(context, upstream.port, { clock, manager, routes: [routeTo('a', { timeout: '0s' })] });
    const client = await openClient(context, proxy.port());
    client.send('GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\n');
    await upstream.request(1);
    await clock.leap(15_000);
    held[0]?.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    assert.equal((await client.response()).status, 200);
    await clock.leap(8000);
    client.send('host: a\r\n\r\n');
    await upstream.request(2);
    held[1]?.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    assert.equal((await client.response()).status, 200);
  });
});

describe('an empty host', () => {
  it('is refused whatever came before', async (context) => {
    const upstream = await startUpstream(context, [reply(200)]);
    const proxy = await proxyTo(context, upstream.port);
    for (const [path, host, status] of [
      ['/1', '', 400],
      ['/2', 'a'.repeat(300), 200],
      ['/3', '', 400],
    ] as const) {
      const client = await openClient(context, proxy.port());
      client.send(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nx-path: ${path}\r\n\r\n`);
      assert.equal((await client.response()).status, status);
    }
  });
});

describe('a reply that may have no body', () => {
  it('has none, so that the next one is where it should be', async (context) => {
    const name = 'envoy.filters.http.fault';
    const typed = {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
      abort: { http_status: 204, percentage: { numerator: 100 } },
    };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')], { filters: [{ name, typed_config: typed }] }))],
      clusters: [cluster('a', [1])],
    }));
    const client = await openClient(context, proxy.port());
    for (let i = 0; i < 2; i++) {
      const { status, headers } = await client.fetch('GET', '/');
      assert.equal(status, 204);
      assert.equal(headers['content-length'], undefined);
    }
    assert.equal(client.rest.length, 0);
  });
});

/** A little at a time, to the end; how much it was. */
async function readSlowly(socket: Socket): Promise<number> {
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    socket.pause();
    setImmediate(() => socket.resume());
  });
  socket.resume();
  await waitFor(socket, 'end');
  return bytes;
}

describe('tunnels', () => {
  const manager = { upgrade_configs: [{ upgrade_type: 'x' }] };
  const offer = 'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n';
  const accepted = 'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n';
  const much = Buffer.alloc(4_000_000, 'x');

  it('lose no byte to a slow client that has ended its side', async (context) => {
    const port = await startTcpServer(context, (socket) => {
      socket.once('data', () => socket.write(accepted));
      socket.on('end', () => socket.end(much));
      socket.resume();
    });
    const proxy = await proxyTo(context, port, { manager });
    const client = await openClient(context, proxy.port());
    client.send(offer);
    assert.equal((await client.response()).status, 101);
    client.socket.end();
    assert.equal(await readSlowly(client.socket), much.length);
  });

  it('lose no byte to a slow endpoint that has ended its side', async (context) => {
    const sockets: Socket[] = [];
    const port = await startTcpServer(context, (socket) => {
      sockets.push(socket);
      socket.once('data', () => {
        socket.pause();
        socket.end(accepted);
      });
    });
    const proxy = await proxyTo(context, port, { manager });
    const client = await openClient(context, proxy.port());
    client.send(offer);
    assert.equal((await client.response()).status, 101);
    client.socket.end(much);
    const [endpoint] = sockets;
    assert.ok(endpoint !== undefined);
    assert.equal(await readSlowly(endpoint), much.length);
  });

  it('end when an endpoint that had ended its side is gone', async (context) => {
    const sockets: Socket[] = [];
    const port = await startTcpServer(context, (socket) => {
      sockets.push(socket);
      socket.once('data', () => socket.end(accepted));
    });
    const proxy = await proxyTo(context, port, { manager });
    const client = connect({ host: '127.0.0.1', port: proxy.port(), allowHalfOpen: true });
    client
      .on('error', () => {})
      .resume()
      .write(offer);
    await waitFor(client, 'end');
    sockets[0]?.destroy();
    await until('nothing is left', () => {
      // To which the endpoint's system answers that there is nobody any more; a write after that is told.
      if (!client.destroyed) client.write('more');
      return proxy.stat('http.test.downstream_rq_active') === 0;
    });
  });

  it('have no length, whatever the endpoint says of one', async (context) => {
    const upstream = await startUpstream(context, [raw('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello')]);
    const routes = [
      { match: { connect_matcher: {} }, route: { cluster: 'a', upgrade_configs: [{ upgrade_type: 'CONNECT' }] } },
    ];
    const proxy = await proxyTo(context, upstream.port, { routes });
    const client = await openClient(context, proxy.port());
    client.expect('CONNECT');
    client.send('CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n');
    const { status, headers } = await client.response();
    assert.equal(status, 200);
    assert.equal(headers['content-length'], undefined);
    assert.equal(String(await client.received(5)), 'hello');
  });
});

describe('Unix sockets', () => {
  function dial(context: TestContext, path: string): Socket {
    const socket = connect({ path });
    socket.on('error', () => {});
    context.after(() => socket.destroy());
    return socket;
  }

  async function proxyOn(context: TestContext, path: string, port: number): Promise<TestProxy> {
    return proxyTo(context, port, { listener: { address: { pipe: { path } } } });
  }

  /** What a control plane hears that asks for a listener there. */
  async function refusalOf(context: TestContext, path: string): Promise<string | null> {
    const { stream } = await startDynamic(context, 1);
    const answer = { match: { prefix: '/' }, direct_response: { status: 204 } };
    const main = { ...listener('main', httpManager([answer])), address: { pipe: { path } } };
    return push(stream, 'listener', '1', [listenerMessage(main)]);
  }

  it('are closed where others are reset', async (context) => {
    const path = join(temporaryFolder(context), 'main.sock');
    const upstream = await startUpstream(context, [closeMidBody(), reply(200)]);
    await proxyOn(context, path, upstream.port);
    const cut = dial(context, path);
    cut.resume().write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await waitFor(cut, 'close');
    const next = dial(context, path);
    next.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    assert.match(String((await waitFor(next, 'data'))[0]), /^HTTP\/1.1 200 /);
  });

  it('have the mode that the address says', async (context) => {
    const path = join(temporaryFolder(context), 'main.sock');
    const upstream = await startUpstream(context, [reply(200)]);
    await proxyTo(context, upstream.port, { listener: { address: { pipe: { path, mode: 0o660 } } } });
    assert.equal(statSync(path).mode & 0o777, 0o660);
  });

  it('may be names without a file', { skip: process.platform !== 'linux' }, async (context) => {
    const name = `weft-test-${randomUUID()}`;
    const server = createServer((socket) => {
      socket.on('error', () => {}).end('HTTP/1.1 200 OK\r\n\r\nfar');
    });
    context.after(() => server.close());
    server.listen(`\0${name}`);
    const far = { endpoint: { address: { pipe: { path: `@${name}` } } } };
    await startTestProxy(context, () => ({
      listeners: [{ ...listener('main', httpManager([routeTo('a')])), address: { pipe: { path: `@${name}-near` } } }],
      clusters: [{ ...cluster('a', []), load_assignment: { cluster_name: 'a', endpoints: [{ lb_endpoints: [far] }] } }],
    }));
    const client = dial(context, `\0${name}-near`);
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    assert.match(String((await waitFor(client, 'data'))[0]), /^HTTP\/1.1 200 /);
    assert.equal(existsSync(`@${name}-near`), false);
  });

  it('take the place of one that a killed process left', async (context) => {
    const path = join(temporaryFolder(context), 'main.sock');
    const upstream = await startUpstream(context, [reply(200)]);
    const old = createServer().listen(path);
    await waitFor(old, 'listening');
    // Closing would remove the file; a process that is killed does not come to that.
    const kept = `${path}.kept`;
    renameSync(path, kept);
    await new Promise((resolve) => old.close(resolve));
    renameSync(kept, path);
    await proxyOn(context, path, upstream.port);
    const client = dial(context, path);
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    assert.match(String((await waitFor(client, 'data'))[0]), /^HTTP\/1.1 200 /);
  });

  it('that somebody listens on are left to them', async (context) => {
    const path = join(temporaryFolder(context), 'main.sock');
    const other = createServer((socket) => socket.on('error', () => {}).end('other')).listen(path);
    context.after(() => other.close());
    await waitFor(other, 'listening');
    assert.match((await refusalOf(context, path)) ?? '', /another program listens there/);
    assert.equal(String((await waitFor(dial(context, path), 'data'))[0]), 'other');
  });

  it('are not put in the place of another file', async (context) => {
    const path = join(temporaryFolder(context), 'main.sock');
    writeFileSync(path, 'mine');
    assert.match((await refusalOf(context, path)) ?? '', /address already in use/);
    assert.equal(readFileSync(path, 'utf8'), 'mine');
  });
});
