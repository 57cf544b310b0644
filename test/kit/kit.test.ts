import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openClient } from './client.ts';
import { closeMidBody, echo, hangUp, raw, reply, reset, startUpstream } from './upstream.ts';

describe('the test kit', () => {
  it('follows a script request by request, repeating the last step', async (context) => {
    const upstream = await startUpstream(context, [reply(500), reply(204), echo()]);
    const client = await openClient(context, upstream.port);
    assert.equal((await client.fetch('GET', '/a')).status, 500);
    assert.equal((await client.fetch('GET', '/b')).status, 204);
    assert.equal((await client.fetch('POST', '/c', { 'x-y': 'z' }, 'body')).text, 'POST /c body');
    const last = await client.fetch('GET', '/d');
    assert.equal(last.headers['seen-host'], 'test.example');
    assert.equal(upstream.connections, 1);
    assert.deepEqual(
      upstream.requests.map((request) => request.startLine),
      ['GET /a HTTP/1.1', 'GET /b HTTP/1.1', 'POST /c HTTP/1.1', 'GET /d HTTP/1.1'],
    );
  });

  it('keeps pipelined responses apart, with chunks and trailers', async (context) => {
    const chunked = reply(200, { chunks: ['ab', 'cde'], trailers: { 'x-sum': '5' } });
    const upstream = await startUpstream(context, [chunked, reply(200, { body: 'second' })]);
    const client = await openClient(context, upstream.port);
    client.request('GET', '/1');
    client.request('HEAD', '/2');
    const first = await client.response();
    assert.equal(first.text, 'abcde');
    assert.deepEqual(first.trailers, { 'x-sum': '5' });
    assert.equal((await client.response()).text, '');
  });

  it('breaks off in every way a peer may', async (context) => {
    const upstream = await startUpstream(context, [
      reset(),
      hangUp(),
      closeMidBody(),
      raw('HTTP/1.1 100 Continue\r\n\r\n'),
    ]);
    for (let i = 0; i < 3; i++) {
      const client = await openClient(context, upstream.port);
      await assert.rejects(client.fetch('GET', '/'), /the connection closed before a response/);
    }
    const client = await openClient(context, upstream.port);
    assert.equal((await client.fetch('GET', '/')).status, 100);
  });
});
