// The rules for header fields at the way in, over HTTP/1 and HTTP/2, and at the way out, towards endpoints and from them.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { openFramePeer } from '../../kit/frame-peer.ts';
import { raw } from '../../kit/upstream.ts';
import { startScene } from './attack/scene.ts';

const h1 = 'GET / HTTP/1.1\r\n';
const host = 'host: a\r\n';

/** Bytes of a request, and the status. */
const http1Cases: readonly (readonly [name: string, bytes: string, status: number])[] = [
  ['a header name in upper case is one name', `${h1}HOST: a\r\n\r\n`, 200],
  ['a NUL in a value', `${h1}${host}a: b\0c\r\n\r\n`, 400],
  ['a bare CR in a value', `${h1}${host}a: b\rc\r\n\r\n`, 400],
  ['a bare LF', `${h1}${host}a: b\nc: d\r\n\r\n`, 400],
  ['a space before the colon', `${h1}${host}a : b\r\n\r\n`, 400],
  ['a folded line', `${h1}${host}a: b\r\n c\r\n\r\n`, 400],
  ['no host', `${h1}\r\n`, 400],
  ['two hosts', `${h1}${host}host: b\r\n\r\n`, 400],
  ['a host with a path', `${h1}host: a/b\r\n\r\n`, 400],
  ['a host with a user', `${h1}host: x@a\r\n\r\n`, 400],
  ['two lengths', `${h1}${host}content-length: 0\r\ncontent-length: 0\r\n\r\n`, 400],
  ['a length and an encoding', `${h1}${host}content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n`, 400],
  ['an encoding that is not chunked', `${h1}${host}transfer-encoding: gzip, chunked\r\n\r\n`, 501],
  ['a signed length', `${h1}${host}content-length: +0\r\n\r\n`, 400],
  ['connection names host', `${h1}${host}connection: host\r\n\r\n`, 400],
  ['a target in absolute form wins over host', `GET http://b/ HTTP/1.1\r\n${host}\r\n`, 200],
  ['a fragment', `GET /#a HTTP/1.1\r\n${host}\r\n`, 400],
];

const pseudo = ':method: GET|:scheme: http|:path: /|:authority: a';

/** Fields of a request, and the status, or the code of the reset. */
const http2Cases: readonly (readonly [name: string, fields: string, outcome: string])[] = [
  ['plain', pseudo, '200'],
  ['a scheme in mixed case', ':method: GET|:scheme: hTTp|:path: /|:authority: a', '200'],
  ['a name in upper case', `${pseudo}|Bad: 1`, 'PROTOCOL_ERROR'],
  ['connection', `${pseudo}|connection: close`, 'PROTOCOL_ERROR'],
  ['keep-alive', `${pseudo}|keep-alive: x`, 'PROTOCOL_ERROR'],
  ['proxy-connection', `${pseudo}|proxy-connection: x`, 'PROTOCOL_ERROR'],
  ['transfer-encoding', `${pseudo}|transfer-encoding: chunked`, 'PROTOCOL_ERROR'],
  ['upgrade', `${pseudo}|upgrade: x`, 'PROTOCOL_ERROR'],
  ['te other than trailers', `${pseudo}|te: gzip`, 'PROTOCOL_ERROR'],
  ['te: trailers', `${pseudo}|te: trailers`, '200'],
  ['a NUL in a value', `${pseudo}|a: b\\u0000c`, 'PROTOCOL_ERROR'],
  ['a CR in a value', `${pseudo}|a: b\\rc`, 'PROTOCOL_ERROR'],
  ['an LF in a value', `${pseudo}|a: b\\nc`, 'PROTOCOL_ERROR'],
  ['a space in a name', `${pseudo}|a b: c`, 'PROTOCOL_ERROR'],
  ['two methods', `:method: GET|${pseudo}`, 'PROTOCOL_ERROR'],
  ['two paths', `:path: /|${pseudo}`, 'PROTOCOL_ERROR'],
  ['two authorities', `:authority: a|${pseudo}`, 'PROTOCOL_ERROR'],
  ['two schemes', `:scheme: http|${pseudo}`, 'PROTOCOL_ERROR'],
  ['an unknown pseudo-header', `${pseudo}|:x: 1`, 'PROTOCOL_ERROR'],
  ['a pseudo-header behind others', ':method: GET|:scheme: http|a: 1|:path: /|:authority: a', 'PROTOCOL_ERROR'],
  ['a response pseudo-header', `${pseudo}|:status: 200`, 'PROTOCOL_ERROR'],
  ['no path', ':method: GET|:scheme: http|:authority: a', 'PROTOCOL_ERROR'],
  ['an empty path', ':method: GET|:scheme: http|:path:|:authority: a', 'PROTOCOL_ERROR'],
  ['the same host', `${pseudo}|host: A`, '200'],
  ['another host', `${pseudo}|host: b`, 'PROTOCOL_ERROR'],
  ['only a host', ':method: GET|:scheme: http|:path: /|host: a', '200'],
  ['two hosts', ':method: GET|:scheme: http|:path: /|host: a|host: a', 'PROTOCOL_ERROR'],
  ['an authority with a user', ':method: GET|:scheme: http|:path: /|:authority: x@a', 'PROTOCOL_ERROR'],
  ['two lengths', `${pseudo}|content-length: 0|content-length: 0`, 'PROTOCOL_ERROR'],
  ['a length that does not come', `${pseudo}|content-length: 5`, 'PROTOCOL_ERROR'],
  ['a fragment', ':method: GET|:scheme: http|:path: /#a|:authority: a', '400'],
];

describe('a request over HTTP/1', () => {
  for (const [name, bytes, status] of http1Cases) {
    it(`with ${name}: ${status}`, async (context) => {
      const scene = await startScene(context);
      const client = await openClient(context, scene.port);
      client.send(bytes);
      assert.equal((await client.response()).status, status);
      await scene.servesOthers();
    });
  }
});

async function askHttp2(context: TestContext, fields: string, manager = {}): Promise<string> {
  const scene = await startScene(context, { manager });
  const client = await openFramePeer(context, scene.port);
  client.send(`headers 1 end |${fields}`);
  const line = await client.seen(/^(?:HEADERS|RST_STREAM) 1 |^GOAWAY/);
  // The connection goes on.
  if (!line.startsWith('GOAWAY')) {
    client.send('headers 3 end |get');
    await client.seen(/^HEADERS 3 .*:status=200/);
  }
  return / :status=(\d+)/.exec(line)?.[1] ?? line;
}

describe('a request over HTTP/2', () => {
  for (const [name, fields, outcome] of http2Cases) {
    it(`with ${name}: ${outcome}`, async (context) => {
      const found = await askHttp2(context, fields);
      assert.equal(found, /^\d+$/.test(outcome) ? outcome : `RST_STREAM 1 ${outcome}`);
    });
  }

  const settings: readonly (readonly [field: string, manager: object, closes: boolean])[] = [
    ['stream_error_on_invalid_http_message: false', { stream_error_on_invalid_http_message: false }, true],
    [
      'override_stream_error_on_invalid_http_message: false',
      { http2_protocol_options: { override_stream_error_on_invalid_http_message: false } },
      true,
    ],
    [
      'the override over it',
      {
        stream_error_on_invalid_http_message: false,
        http2_protocol_options: { override_stream_error_on_invalid_http_message: true },
      },
      false,
    ],
    [
      'stream_error_on_invalid_http_messaging',
      { http2_protocol_options: { stream_error_on_invalid_http_messaging: true } },
      false,
    ],
  ];
  for (const [field, manager, closes] of settings) {
    it(`that is malformed ends its ${closes ? 'connection' : 'stream'} by ${field}`, async (context) => {
      const found = await askHttp2(context, `${pseudo}|Bad: 1`, manager);
      assert.equal(found, closes ? 'GOAWAY 1 PROTOCOL_ERROR' : 'RST_STREAM 1 PROTOCOL_ERROR');
    });
  }
});

describe('headers_with_underscores_action', () => {
  const manager = (action: string) => ({
    common_http_protocol_options: { headers_with_underscores_action: action },
  });

  it('ALLOW passes them on', async (context) => {
    const scene = await startScene(context, { manager: manager('ALLOW') });
    const client = await openClient(context, scene.port);
    assert.equal((await client.fetch('GET', '/', { a_b: 'c' })).headers['seen-a_b'], 'c');
  });

  it('DROP_HEADER leaves out these and no others, and counts them', async (context) => {
    const scene = await startScene(context, { manager: manager('DROP_HEADER') });
    const client = await openClient(context, scene.port);
    const { headers } = await client.fetch('GET', '/', { a_b: 'c', 'a-b': 'd', x_: 'y' });
    assert.equal(headers['seen-a_b'], undefined);
    assert.equal(headers['seen-x_'], undefined);
    assert.equal(headers['seen-a-b'], 'd');
    assert.equal(scene.proxy.stat('http1.dropped_headers_with_underscores'), 2);
    const peer = await openFramePeer(context, scene.port);
    peer.send('headers 1 end |get|a_b: c|a-b: d');
    const line = await peer.seen(/^HEADERS 1 /);
    assert.equal(line.includes('seen-a_b'), false);
    assert.ok(line.includes('seen-a-b=d'));
    assert.equal(scene.proxy.stat('http2.dropped_headers_with_underscores'), 1);
  });

  it('REJECT_REQUEST answers 400 and says why in the log', async (context) => {
    const scene = await startScene(context, { manager: manager('REJECT_REQUEST') });
    const client = await openClient(context, scene.port);
    assert.equal((await client.fetch('GET', '/', { a_b: 'c' })).status, 400);
    const peer = await openFramePeer(context, scene.port);
    peer.send('headers 1 end |get|a_b: c');
    await peer.seen(/^HEADERS 1 .*:status=400/);
    assert.equal(scene.proxy.stat('http1.requests_rejected_with_underscores_in_headers'), 1);
    assert.equal(scene.proxy.stat('http2.requests_rejected_with_underscores_in_headers'), 1);
    const log = (await scene.proxy.accessLog()).join('\n');
    assert.match(log, /http1\.unexpected_underscore/);
    assert.match(log, /http2\.unexpected_underscore/);
  });
});

describe('at the other end', () => {
  it('the endpoint gets no header of the connection, and the client none of the endpoint', async (context) => {
    const scene = await startScene(context);
    const client = await openClient(context, scene.port);
    const named = { connection: 'x-hop', 'x-hop': '1', te: 'gzip', 'proxy-connection': 'x', 'keep-alive': 'x' };
    const { headers } = await client.fetch('GET', '/', named);
    for (const name of ['x-hop', 'te', 'proxy-connection', 'keep-alive', 'connection'])
      assert.equal(headers[`seen-${name}`], undefined, name);
  });

  const answers: readonly (readonly [name: string, bytes: string, status: number])[] = [
    ['a NUL in a value', 'HTTP/1.1 200 OK\r\na: b\0c\r\ncontent-length: 0\r\n\r\n', 502],
    ['a bare CR', 'HTTP/1.1 200 OK\r\na: b\rc\r\ncontent-length: 0\r\n\r\n', 502],
    ['a bare LF', 'HTTP/1.1 200 OK\na: b\r\ncontent-length: 0\r\n\r\n', 502],
    ['a space in a name', 'HTTP/1.1 200 OK\r\na b: c\r\ncontent-length: 0\r\n\r\n', 502],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 1\r\n\r\n', 502],
    ['a length and an encoding', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n', 502],
    ['an upgrade nobody asked for', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 502],
  ];
  for (const [name, bytes, status] of answers) {
    it(`a response with ${name} is answered ${status}`, async (context) => {
      const scene = await startScene(context, {
        steps: [raw('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'), raw(bytes)],
      });
      const client = await openClient(context, scene.port);
      assert.equal((await client.fetch('GET', '/')).status, status);
    });
  }
});
