// The client side of the proxy's HTTP/2 before a server that checks every frame: whatever clients and the server do, it keeps to RFC 9113.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { frames, ok } from '../../kit/http2/strict-upstream.ts';
import { until } from '../../kit/until.ts';
import { type Setup, setUp } from './proxy-before.ts';

/** Nothing was wrong, and every SETTINGS was acknowledged. */
async function wasStrict({ upstream }: Setup): Promise<void> {
  await upstream.inStep();
  assert.deepEqual(upstream.violations, []);
  for (const connection of upstream.connections) {
    if (!connection.isClosed) assert.equal(connection.openSettings, 0);
  }
}

test('sends heads as HTTP/2 wants them, whatever HTTP/1 said', async (context) => {
  const setup = await setUp(context);
  const client = await openClient(context, setup.proxy.port());
  const requests: [string, string, Record<string, string>, string?][] = [
    ['GET', '/a?b=c', { Connection: 'x-hop, keep-alive', 'X-Hop': '1', 'Keep-Alive': 'timeout=5', TE: 'trailers' }],
    ['GET', '/', { TE: 'gzip, trailers;q=0.5', 'Proxy-Connection': 'keep-alive' }],
    ['HEAD', '/head', { Cookie: 'a=b; c=d', 'X-UPPER': 'Value' }],
    ['POST', '/post', {}, 'hello'],
    ['GET', 'http://other.example/absolute', {}],
    ['GET', '/', { 'X-Empty': '' }],
    ['GET', '/', { 'X-Long': 'v'.repeat(40_000) }],
  ];
  for (const [method, target, headers, body] of requests) {
    const response = await client.fetch(method, target, headers, body);
    assert.equal(response.status, 200, `${method} ${target}`);
  }
  const [first, , head, , absolute] = setup.upstream.requests;
  assert.equal(first?.field('x-hop'), undefined);
  assert.equal(first?.field('te'), 'trailers');
  assert.equal(head?.field('x-upper'), 'Value');
  assert.equal(absolute?.field(':authority'), 'other.example');
  await wasStrict(setup);
});

test('keeps to windows that are small, closed and opened again', async (context) => {
  const setup = await setUp(context, [ok], { settings: '4=1000' });
  const client = await openClient(context, setup.proxy.port());
  const body = 'x'.repeat(300_000);
  assert.equal((await client.fetch('POST', '/', {}, body)).status, 200);
  assert.equal(setup.upstream.requests[0]?.bodyBytes, body.length);
  await wasStrict(setup);
});

test('waits at a window of zero and below', async (context) => {
  const setup = await setUp(context, [ok], { givesWindow: false });
  const client = await openClient(context, setup.proxy.port());
  client.request('POST', '/', {}, 'x'.repeat(100_000));
  await until('the request is there', () => setup.upstream.connections[0]?.streams.size === 1);
  const [connection] = setup.upstream.connections;
  assert.ok(connection);
  const stream = [...connection.streams.values()][0];
  assert.ok(stream);
  await until('the window is used up', () => stream.bodyBytes === 65_535);
  // Down by more than is left: the window is negative until it is opened by more than that.
  connection.send('settings 4=1000');
  await until('the settings are acknowledged', () => connection.openSettings === 0);
  assert.equal(stream.window, 1000 - 65_535);
  connection.send(`window 0 100000\nwindow ${stream.id} 64535`);
  await setup.upstream.inStep();
  assert.equal(stream.bodyBytes, 65_535);
  connection.send(`window ${stream.id} 1`);
  await until('one more byte comes', () => stream.bodyBytes === 65_536);
  connection.send('settings 4=2147483647');
  assert.equal((await client.response()).status, 200);
  assert.equal(stream.bodyBytes, 100_000);
  await wasStrict(setup);
});

test('opens no more streams than the server allows', async (context) => {
  const setup = await setUp(context, [ok], { settings: '3=4' });
  const clients = await Promise.all(Array.from({ length: 40 }, () => openClient(context, setup.proxy.port())));
  const answers = await Promise.all(clients.map((client) => client.fetch('POST', '/', {}, 'body')));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(setup.upstream.requests.length, 40);
  await wasStrict(setup);
});

test('brings its header table down when the server has none', async (context) => {
  const setup = await setUp(context, [ok], { settings: '1=0' });
  for (let i = 0; i < 3; i++) {
    const client = await openClient(context, setup.proxy.port());
    assert.equal((await client.fetch('GET', `/${i}`, { 'x-same': 'value' })).status, 200);
  }
  await wasStrict(setup);
});

test('sends chunks and trailers', async (context) => {
  const setup = await setUp(context);
  const client = await openClient(context, setup.proxy.port());
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nTrailer: x-sum\r\n\r\n');
  client.send('3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n');
  assert.equal((await client.response()).status, 200);
  assert.equal(setup.upstream.requests[0]?.content.toString(), 'abcde');
  await wasStrict(setup);
});

test('reads padding, CONTINUATION, interim responses and trailers', async (context) => {
  const answer = [
    'headers ID |:status: 103|link: </style.css>',
    'headers ID open pad=3 |ok',
    'continuation ID open |x-first: 1',
    'continuation ID |x-second: 2',
    'data ID pad=200 |hel',
    'data ID |',
    'frame 250 255 0 00112233',
    'priority 99 0',
    'data ID |lo',
    'headers ID end |x-trailer: 3',
  ];
  const setup = await setUp(context, [frames(answer.join('\n'))]);
  const client = await openClient(context, setup.proxy.port());
  client.request('GET', '/');
  assert.equal((await client.response()).status, 103);
  const response = await client.response();
  assert.deepEqual([response.status, response.text], [200, 'hello']);
  assert.deepEqual([response.headers['x-first'], response.headers['x-second']], ['1', '2']);
  await wasStrict(setup);
});

test('sends nothing behind a reset, whoever sent it', async (context) => {
  const setup = await setUp(context, [], { atHead: frames('reset ID 8') });
  const client = await openClient(context, setup.proxy.port());
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nfirst');
  assert.equal((await client.response()).status, 503);
  client.send('x'.repeat(50_000));
  await wasStrict(setup);
  const [connection] = setup.upstream.connections;
  assert.ok(connection?.frames.every((line) => !line.startsWith('GOAWAY')));
});

test('takes back a request whose client has gone, once', async (context) => {
  const setup = await setUp(context, [], { atHead: frames('headers ID |ok\ndata ID |part') });
  const client = await openClient(context, setup.proxy.port());
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nfirst');
  await client.received(1);
  client.close();
  const [connection] = setup.upstream.connections;
  await until('the stream is reset', () => connection?.frames.includes('RST_STREAM 1 CANCEL') === true);
  await wasStrict(setup);
  assert.equal(connection?.frames.filter((line) => line.startsWith('RST_STREAM')).length, 1);
});

test('stops a request that was answered early', async (context) => {
  const setup = await setUp(context, [], {
    atHead: frames('headers ID |:status: 413\ndata ID end |too much\nreset ID 0'),
  });
  const client = await openClient(context, setup.proxy.port());
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n');
  assert.equal((await client.response()).status, 413);
  client.send('x'.repeat(100_000));
  await wasStrict(setup);
});

test('goes elsewhere after GOAWAY and finishes what runs', async (context) => {
  const setup = await setUp(context, [], { atHead: () => {} });
  const { upstream, proxy } = setup;
  const first = await openClient(context, proxy.port());
  first.request('GET', '/first');
  await until('the request is there', () => upstream.requests.length === 1);
  const [connection] = upstream.connections;
  connection?.send('goaway 2147483647 0');
  await upstream.inStep();
  upstream.script([ok]);
  const second = await openClient(context, proxy.port());
  assert.equal((await second.fetch('GET', '/second')).status, 200);
  assert.equal(upstream.connections.length, 2);
  connection?.send('goaway 1 0\nheaders 1 |ok\ndata 1 end |late');
  assert.equal((await first.response()).text, 'late');
  await until('the old connection ends', () => connection?.isClosed === true);
  await wasStrict(setup);
});

test('gives back windows so that a response of any length comes', async (context) => {
  const body = Array.from({ length: 4 }, () => 'data ID size=16000 |').join('\n');
  const setup = await setUp(context, [frames(`headers ID |ok\n${body}`)]);
  const client = await openClient(context, setup.proxy.port());
  client.request('GET', '/');
  await until('the request is there', () => setup.upstream.requests.length === 1);
  const [connection] = setup.upstream.connections;
  // The server is held to the windows as well: it sends on only when one was opened.
  await until(
    'a window is opened',
    () => connection?.frames.some((line) => line.startsWith('WINDOW_UPDATE 0')) === true,
  );
  connection?.send('data 1 end |.');
  assert.equal((await client.response()).text.length, 64_001);
  await wasStrict(setup);
});

test('asks for no upgrade of a server that does not offer it, and tunnels when it does', async (context) => {
  const setup = await setUp(context, [ok], { settings: '8=1', atHead: frames('headers ID |ok') });
  const client = await openClient(context, setup.proxy.port());
  client.send('GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
  // The first request goes out before the server's SETTINGS may have come; both outcomes keep to the standard.
  const { status } = await client.response();
  assert.ok(status === 101 || status === 502, String(status));
  await wasStrict(setup);
});
