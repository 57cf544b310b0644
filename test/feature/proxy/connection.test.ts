// HTTP/1.1 on the wire through the real proxy: keep-alive, pipelining, bodies, limits, malformed requests.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { until } from '../../kit/until.ts';
import { closeMidBody, echo, hangUp, raw, reply, reset, stall, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy } from './fixture.ts';

type Context = Parameters<typeof startTestProxy>[0];

async function simpleProxy(context: Context, port: number, manager: Record<string, unknown> = {}): Promise<TestProxy> {
  return startTestProxy(context, (logPath) => ({
    listeners: [listener('main', httpManager([routeTo('a')], { manager, logPath }))],
    clusters: [cluster('a', [port])],
  }));
}

describe('connections', () => {
  it('are kept on both sides', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    for (let i = 0; i < 20; i++)
      assert.equal((await client.fetch('POST', `/${i}`, {}, `body ${i}`)).text, `POST /${i} body ${i}`);
    assert.equal(upstream.connections, 1);
    assert.equal(proxy.stat('http.test.downstream_cx_total'), 1);
    assert.equal(proxy.stat('http.test.downstream_rq_2xx'), 20);
    assert.equal(proxy.stat('cluster.a.upstream_rq_200'), 20);
  });

  it('answer pipelined requests in order', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    for (let i = 0; i < 10; i++) client.request(i % 3 === 0 ? 'POST' : 'GET', `/${i}`, {}, i % 3 === 0 ? `b${i}` : '');
    for (let i = 0; i < 10; i++)
      assert.equal((await client.response()).text, i % 3 === 0 ? `POST /${i} b${i}` : `GET /${i}`);
  });

  it('end when the client says so', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    const response = await client.fetch('GET', '/', { connection: 'close' });
    assert.equal(response.headers.connection, 'close');
    await client.closed();
    assert.equal(upstream.requests[0]?.headers.connection, undefined, 'hop-by-hop headers stay behind');
  });

  it('carry chunked bodies and trailers both ways', async (context) => {
    const upstream = await startUpstream(context, [reply(200, { chunks: ['ab', 'cd'], trailers: { 'x-sum': '4' } })]);
    const proxy = await simpleProxy(context, upstream.port, { http_protocol_options: { enable_trailers: true } });
    const client = await openClient(context, proxy.port());
    client.send('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n');
    client.send('3\r\n, w\r\n0\r\nx-end: yes\r\n\r\n');
    const response = await client.response();
    assert.equal(response.text, 'abcd');
    assert.deepEqual(response.trailers, { 'x-sum': '4' });
    assert.equal(upstream.requests[0]?.body.toString(), 'hi, w');
    assert.deepEqual(upstream.requests[0]?.trailers, { 'x-end': 'yes' });
  });

  it('answer 100-continue and pass the body on', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    client.send('POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n');
    assert.equal((await client.response()).status, 100);
    client.send('body');
    assert.equal((await client.response()).text, 'POST / body');
  });

  it('keep the case of header names', async (context) => {
    const upstream = await startUpstream(context, [
      raw('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Odd-CASE: 1\r\n\r\n'),
    ]);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    client.send('GET / HTTP/1.1\r\nHost: a\r\nX-mY-Header: v\r\n\r\n');
    const response = await client.response();
    assert.ok(response.headerLines.includes('X-Odd-CASE: 1'), response.headerLines.join('|'));
    assert.ok(
      upstream.requests[0]?.headerLines.includes('X-mY-Header: v'),
      upstream.requests[0]?.headerLines.join('|') ?? 'no request',
    );
  });

  it('pass an upgrade through as bytes', async (context) => {
    const upstream = await startUpstream(context, [
      (socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello');
        socket.removeAllListeners('data');
        socket.on('data', (chunk: Buffer) => {
          socket.write(`<${chunk.toString()}>`);
        });
      },
    ]);
    const proxy = await simpleProxy(context, upstream.port, { upgrade_configs: [{ upgrade_type: 'websocket' }] });
    const client = await openClient(context, proxy.port());
    client.request('GET', '/chat', { connection: 'Upgrade', upgrade: 'websocket' });
    assert.equal((await client.response()).status, 101);
    assert.equal((await client.received(5)).toString(), 'hello');
    client.send('ping');
    assert.equal((await client.received(11)).toString(), 'hello<ping>');
  });

  it('refuse an upgrade that is not enabled', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/chat', { connection: 'Upgrade', upgrade: 'websocket' })).status, 403);
    assert.equal(upstream.requests.length, 0);
  });
});

describe('malformed requests', () => {
  const cases: readonly [name: string, bytes: string, status: number][] = [
    [
      'both framings',
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc', 400],
    ['a bare line feed', 'GET / HTTP/1.1\nhost: a\r\n\r\n', 400],
    ['a folded header', 'GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n 2\r\n\r\n', 400],
    ['space before the colon', 'GET / HTTP/1.1\r\nhost : a\r\n\r\n', 400],
    ['two hosts', 'GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['a null byte', 'GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n', 400],
    ['a bad chunk size', 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n', 400],
    [
      'too many headers',
      `GET / HTTP/1.1\r\nhost: a\r\n${Array.from({ length: 101 }, (_, i) => `x${i}: 1\r\n`).join('')}\r\n`,
      431,
    ],
    ['too large headers', `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(61 * 1024)}\r\n\r\n`, 431],
  ];
  for (const [name, bytes, status] of cases) {
    it(`with ${name} get ${status} and the connection ends`, async (context) => {
      const upstream = await startUpstream(context, [stall()]);
      const proxy = await simpleProxy(context, upstream.port);
      const client = await openClient(context, proxy.port());
      client.send(bytes);
      assert.equal((await client.response()).status, status);
      await client.closed();
      assert.equal(upstream.requests.length, 0);
    });
  }
});

describe('an endpoint that fails', () => {
  it('in the middle of the body ends the client’s connection, so that the cut is seen', async (context) => {
    const upstream = await startUpstream(context, [closeMidBody('first half')]);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    client.request('GET', '/');
    await assert.rejects(client.response(), /closed before a response/);
    assert.match(client.rest.toString(), /first half$/);
    await until('it is logged', () => proxy.stat('http.test.downstream_rq_active') === 0);
    assert.match((await proxy.accessLog())[0] ?? '', /^200 UC /);
  });

  it('by a reset in a body that ends with the connection does not make it look whole', async (context) => {
    const upstream = await startUpstream(context, [raw('HTTP/1.1 200 OK\r\n\r\nfirst half')]);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    client.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await until('the first half is there', () => client.rest.includes('first half'));
    for (const socket of upstream.openSockets) socket.resetAndDestroy();
    await client.closed();
    assert.doesNotMatch(client.rest.toString(), /\r\n0\r\n\r\n$/);
    assert.match((await proxy.accessLog())[0] ?? '', /^200 UC /);
  });

  it('with a malformed response gives 502', async (context) => {
    const upstream = await startUpstream(context, [raw('HTTP/1.1 200 OK\r\nbad header\r\n\r\n')]);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 502);
    assert.match((await proxy.accessLog())[0] ?? '', /^502 UPE /);
  });

  it('by closing a kept connection just as it is used again costs no request', async (context) => {
    const upstream = await startUpstream(context, [echo()]);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    for (let i = 0; i < 50; i++) {
      assert.equal((await client.fetch('GET', `/${i}`)).status, 200);
      // The endpoint closes its idle connections while the next request is on its way.
      for (const socket of upstream.openSockets) socket.end();
    }
  });

  it('by hanging up on a request that may be repeated is tried again once at most without a policy', async (context) => {
    const upstream = await startUpstream(context, [echo(), hangUp(), echo()]);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/1')).status, 200);
    assert.equal((await client.fetch('GET', '/2')).status, 200);
    assert.equal(upstream.requests.length, 3);
  });

  for (const [framing, body] of [
    ['content-length: 4', 'body'],
    ['transfer-encoding: chunked', '4\r\nbody\r\n0\r\n\r\n'],
  ] as const) {
    it(`never gets a request without the body that it had (${framing})`, async (context) => {
      const upstream = await startUpstream(context, [echo(), reset(), echo()]);
      const route = routeTo('a', { retry_policy: { retry_on: '5xx', num_retries: 0 } });
      const proxy = await startTestProxy(context, () => ({
        listeners: [listener('main', httpManager([route]))],
        clusters: [cluster('a', [upstream.port])],
      }));
      const client = await openClient(context, proxy.port());
      assert.equal((await client.fetch('GET', '/')).status, 200);
      client.expect('PUT');
      client.send(`PUT / HTTP/1.1\r\nhost: a\r\n${framing}\r\n\r\n`);
      await until('the head is on its way', () => proxy.stat('cluster.a.upstream_rq_active') === 1);
      client.send(body);
      assert.equal((await client.response()).status, 503);
      assert.deepEqual(
        upstream.requests.map((request) => request.body.toString()),
        ['', 'body'],
      );
    });
  }

  it('by hanging up on a request that may not be repeated gives 503', async (context) => {
    const upstream = await startUpstream(context, [echo(), hangUp(), echo()]);
    const proxy = await simpleProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/1')).status, 200);
    assert.equal((await client.fetch('POST', '/2', {}, 'x')).status, 503);
    assert.equal(upstream.requests.length, 2);
  });
});
