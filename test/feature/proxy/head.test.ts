// What the proxy makes of the heads of requests: what is answered for which mistake, and what reaches the upstream.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { connect as connectHttp2, type OutgoingHttpHeaders } from 'node:http2';
import { test } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { fetchHttp2 as fetchOverHttp2, openHttp2 } from '../../kit/http2-client.ts';
import { until, waitFor } from '../../kit/until.ts';
import { after, echo, raw, type Step, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy } from './fixture.ts';

async function setUp(context: Parameters<typeof startTestProxy>[0], manager: Readonly<Record<string, unknown>> = {}) {
  const upstream = await startUpstream(context);
  const proxy = await startTestProxy(context, (logPath) => ({
    listeners: [listener('main', httpManager([routeTo('backend')], { logPath, manager }))],
    clusters: [cluster('backend', [upstream.port])],
  }));
  return { upstream, proxy, client: await openClient(context, proxy.port()) };
}

test('ends a request whose empty body ended before there was a connection', async (context) => {
  const { client, upstream } = await setUp(context);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  assert.equal((await client.response()).status, 200);
  assert.equal(upstream.requests[0]?.body.length, 0);
});

test('says that there is no body where the method lets one expect it', async (context) => {
  const { client, upstream } = await setUp(context);
  for (const method of ['POST', 'PUT', 'PATCH', 'GET', 'DELETE']) await client.fetch(method, '/');
  const lengths = upstream.requests.map(({ headers }) => headers['content-length']);
  assert.deepEqual(lengths, ['0', '0', '0', undefined, undefined]);
});

test('answers the expectation of a client itself and keeps it from the upstream', async (context) => {
  const { client, upstream } = await setUp(context);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n');
  assert.equal((await client.response()).status, 100);
  client.send('ok');
  assert.equal((await client.response()).status, 200);
  assert.equal(upstream.requests[0]?.headers.expect, undefined);
});

test('tells the upstream of an edge who the client is', async (context) => {
  const { client, upstream } = await setUp(context, { use_remote_address: true, xff_num_trusted_hops: 1 });
  await client.fetch('GET', '/', { 'x-forwarded-for': '192.0.2.7', 'x-envoy-external-address': '192.0.2.66' });
  assert.equal(upstream.requests[0]?.headers['x-envoy-external-address'], '192.0.2.7');
});

test('takes what only proxies say from a head with more fields than most, too', async (context) => {
  const { client, upstream } = await setUp(context, { use_remote_address: true });
  const many = Array.from({ length: 31 }, (_, i) => `h${i}: x\r\n`).join('');
  for (const expect of ['', 'Expect: 100-continue\r\n']) {
    client.send(`GET / HTTP/1.1\r\nHost: a\r\n${expect}${many}x-envoy-a: 1\r\nx-envoy-b: 2\r\nx-envoy-a: 3\r\n\r\n`);
    assert.equal((await client.response()).status, 200);
  }
  assert.equal(upstream.requests.length, 2);
  for (const { headers } of upstream.requests) {
    assert.equal(headers.h30, 'x');
    assert.deepEqual([headers['x-envoy-a'], headers['x-envoy-b']], [undefined, undefined]);
  }
});

test('does not believe a client about what only proxies say', async (context) => {
  const { client, upstream } = await setUp(context);
  await client.fetch('GET', '/', { 'x-envoy-internal': 'true', 'x-request-id': '' });
  const { headers } = await upstream.request(1);
  assert.equal(headers['x-envoy-internal'], undefined);
  assert.match(headers['x-request-id'] ?? '', /^[0-9a-f-]{36}$/);
});

test('tells one id of a request to upstream, access log, decision and, where it is to, the client', async (context) => {
  const upstream = await startUpstream(context);
  const routes = [{ match: { path: '/here' }, direct_response: { status: 200 } }, routeTo('backend')];
  const manager = { always_set_request_id_in_response: true };
  const proxy = await startTestProxy(context, (logPath) => ({
    listeners: [listener('main', httpManager(routes, { logPath, logFormat: '%STREAM_ID%', manager }))],
    clusters: [cluster('backend', [upstream.port])],
  }));
  const client = await openClient(context, proxy.port());
  const answers = [
    await client.fetch('GET', '/', { 'x-request-id': 'mine' }),
    await client.fetch('GET', '/'),
    await client.fetch('GET', '/here'),
    await fetchOverHttp2(openHttp2(context, proxy.port()), { ':path': '/' }),
  ];
  const ids = answers.map(({ headers }) => headers['x-request-id']);
  assert.equal(ids[0], 'mine');
  for (const id of ids.slice(1)) assert.match(String(id), /^[0-9a-f-]{36}$/);
  assert.deepEqual(await proxy.accessLog(), ids);
  const seen = upstream.requests.map(({ headers }) => headers['x-request-id']);
  assert.deepEqual(seen, [ids[0], ids[1], ids[3]]);
  assert.match((await proxy.admin('GET', '/decisions')).body, new RegExp(String(ids[2])));
});

test('adds to no empty X-Forwarded-For', async (context) => {
  const { client, upstream } = await setUp(context, { use_remote_address: true });
  await client.fetch('GET', '/', { 'x-forwarded-for': '' });
  assert.equal(upstream.requests[0]?.headers['x-forwarded-for'], '127.0.0.1');
});

test('answers over HTTP/1.1 who offers h2c', async (context) => {
  const { client, upstream } = await setUp(context);
  const offer = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' };
  assert.equal((await client.fetch('GET', '/', offer)).status, 200);
  const { headers } = await upstream.request(1);
  assert.deepEqual([headers.connection, headers.upgrade, headers['http2-settings']], [undefined, undefined, undefined]);
});

const tunnels = { upgrade_configs: [{ upgrade_type: 'websocket' }, { upgrade_type: 'CONNECT' }] };

test('asks an upstream for the tunnel that the client asked for, port and all', async (context) => {
  const upstream = await startUpstream(context, [raw('HTTP/1.1 200 OK\r\n\r\ntunnel')]);
  const proxy = await startTestProxy(context, () => ({
    listeners: [
      listener(
        'main',
        httpManager([{ match: { connect_matcher: {} }, route: { cluster: 'b' } }], {
          manager: { ...tunnels, strip_any_host_port: true },
        }),
      ),
    ],
    clusters: [cluster('b', [upstream.port])],
  }));
  const client = await openClient(context, proxy.port());
  client.request('CONNECT', 'a.example:443', { host: 'a.example:443' });
  assert.equal((await client.response()).status, 200);
  assert.equal((await client.received(6)).toString(), 'tunnel');
  assert.equal(upstream.requests[0]?.startLine, 'CONNECT a.example:443 HTTP/1.1');
});

const switches: Readonly<Record<string, string>> = {
  'to nothing': '',
  'to another protocol': 'Connection: Upgrade\r\nUpgrade: other\r\n',
  'without Connection': 'Upgrade: websocket\r\n',
};

for (const [name, headers] of Object.entries(switches)) {
  test(`does not tunnel when the upstream switches ${name}`, async (context) => {
    const { client, upstream } = await setUp(context, tunnels);
    upstream.script([raw(`HTTP/1.1 101 Switching Protocols\r\n${headers}\r\nbytes`)]);
    client.request('GET', '/', { connection: 'Upgrade', upgrade: 'websocket' });
    assert.equal((await client.response()).status, 502);
  });
}

test('gives no exchange a connection on which more came than was asked for', async (context) => {
  const gate = new EventEmitter();
  const stray = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray';
  const surplus = raw(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst${stray}`);
  const upstream = await startUpstream(context, [after(once(gate, 'open'), surplus), echo()]);
  const one = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } };
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('backend')]))],
    clusters: [cluster('backend', [upstream.port], one)],
  }));
  const first = await openClient(context, proxy.port());
  first.request('GET', '/first');
  await upstream.request(1);
  const second = await openClient(context, proxy.port());
  second.request('POST', '/second', {}, 'body');
  await until('the second request waits', () => proxy.stat('cluster.backend.upstream_rq_pending_active') === 1);
  gate.emit('open');
  assert.equal((await first.response()).text, 'first');
  assert.equal((await second.response()).text, 'POST /second body');
  assert.equal(upstream.connections, 2);
});

test('reads on when bytes came before the switch of protocols', async (context) => {
  const { client, upstream } = await setUp(context, tunnels);
  let seen = '';
  const switchAndRead: Step = (socket) => {
    socket.on('data', (chunk) => {
      seen += chunk;
    });
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  };
  upstream.script([switchAndRead]);
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly ');
  assert.equal((await client.response()).status, 101);
  client.send('late');
  await until('all bytes are there', () => seen.endsWith('late'));
});

interface Http2Answer {
  readonly status: number;
  readonly continued: boolean;
  readonly text: string;
}

/** One request over HTTP/2. */
async function fetchHttp2(port: number, fields: OutgoingHttpHeaders, body = ''): Promise<Http2Answer> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  try {
    await waitFor(session, 'remoteSettings');
    const stream = session.request(fields, { endStream: false });
    let continued = false;
    stream.on('continue', () => {
      continued = true;
      stream.end(body);
    });
    if (fields.expect === undefined) stream.write(body);
    const [head] = (await waitFor(stream, 'response')) as [{ ':status'?: number }];
    let text = '';
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (fields[':method'] === 'CONNECT') stream.end();
    });
    if (fields[':method'] !== 'CONNECT') stream.end();
    await waitFor(stream, 'close');
    return { status: head[':status'] ?? 0, continued, text };
  } finally {
    session.destroy();
  }
}

test('answers the expectation of an HTTP/2 client', async (context) => {
  const { proxy, upstream } = await setUp(context);
  const answer = await fetchHttp2(proxy.port(), { ':method': 'POST', expect: '100-continue' }, 'body');
  assert.deepEqual([answer.status, answer.continued], [200, true]);
  const { headers, body } = await upstream.request(1);
  assert.deepEqual([headers.expect, body.toString()], [undefined, 'body']);
});

test('carries an upgrade of HTTP/2 to an upstream of HTTP/1', async (context) => {
  const { proxy, upstream } = await setUp(context, tunnels);
  upstream.script([raw('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfrom upstream')]);
  const fields = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/chat',
    ':scheme': 'http',
    ':authority': 'a',
  };
  const { status, text } = await fetchHttp2(proxy.port(), fields, 'from client');
  assert.deepEqual([status, text], [200, 'from upstream']);
  const request = await upstream.request(1);
  assert.equal(request.startLine, 'GET /chat HTTP/1.1');
  assert.deepEqual([request.headers.connection, request.headers.upgrade], ['Upgrade', 'websocket']);
});

const answers: Readonly<Record<string, readonly [request: string, status: number]>> = {
  'a version it does not speak': ['GET / HTTP/1.2\r\nHost: a\r\n\r\n', 426],
  'a scheme it does not speak': ['GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  'a coding it does not know': ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501],
  'a CONNECT without a route for it': ['CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 404],
  'an upgrade that is not enabled': ['GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', 403],
};

test('switches no protocol for a client that speaks HTTP/1.0', async (context) => {
  const { client, upstream } = await setUp(context, { ...tunnels, http_protocol_options: { accept_http_10: true } });
  client.send('GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
  assert.equal((await client.response()).status, 200);
  const { headers } = await upstream.request(1);
  assert.deepEqual([headers.connection, headers.upgrade], [undefined, undefined]);
});

for (const version of ['HTTP/1.0', 'HTTP/1.2']) {
  test(`tells a client that speaks ${version} what to speak`, async (context) => {
    const { client } = await setUp(context);
    client.send(`GET / ${version}\r\nHost: a\r\n\r\n`);
    const { status, text, headers } = await client.response();
    assert.deepEqual([status, headers.upgrade], [426, 'HTTP/1.1']);
    assert.match(String(headers.connection), /upgrade/);
    assert.equal(text, 'this version of HTTP is not accepted here; send HTTP/1.1');
  });
}

for (const [name, [request, status]] of Object.entries(answers)) {
  test(`answers ${name} with ${status}`, async (context) => {
    const { client } = await setUp(context);
    client.send(request);
    assert.equal((await client.response()).status, status);
  });
}
