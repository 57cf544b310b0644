// HTTP/1.1 and HTTP/2 on either side of the real proxy, in all four combinations: heads, trailers, interim responses, empty bodies, resets.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import {
  type BridgeEndpoint,
  type BridgeReply,
  type BridgeRequest,
  type BridgeResponse,
  fetchBy,
  type Protocol,
  startEndpoint,
} from '../../kit/bridge.ts';
import { openClient } from '../../kit/client.ts';
import { openHttp2 } from '../../kit/http2-client.ts';
import { startHttp2Upstream } from '../../kit/http2-server.ts';
import { until, waitFor } from '../../kit/until.ts';
import { raw, type Step, startTcpServer, startUpstream } from '../../kit/upstream.ts';
import { cluster, http2Only, httpManager, listener, routeTo, startTestProxy, type TestProxy } from './fixture.ts';

const protocols: readonly Protocol[] = ['HTTP/1', 'HTTP/2'];

function startProxy(context: TestContext, port: number, upstream: Protocol, action = {}): Promise<TestProxy> {
  return startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a', action)]))],
    clusters: [cluster('a', [port], upstream === 'HTTP/2' ? http2Only : {})],
  }));
}

function valuesOf(endpoint: BridgeEndpoint, name: string): string[] {
  return (endpoint.seen[0]?.headers ?? []).filter(([found]) => found === name).map(([, value]) => value);
}

for (const downstream of protocols) {
  for (const upstream of protocols) {
    describe(`${downstream} to ${upstream}`, () => {
      /** One exchange, and what both ends saw of it. */
      async function exchange(
        context: TestContext,
        request: BridgeRequest,
        answer: BridgeReply | null,
      ): Promise<{ response: BridgeResponse; endpoint: BridgeEndpoint; proxy: TestProxy }> {
        const endpoint = await startEndpoint(context, upstream, answer);
        const proxy = await startProxy(context, endpoint.port, upstream);
        const response = await fetchBy(context, downstream, proxy.port(), request);
        return { response, endpoint, proxy };
      }

      it('carries method, path, authority, fields and bodies', async (context) => {
        const request = {
          method: 'PUT',
          path: '/a/b?c=d',
          authority: 'shop.test:8080',
          headers: [
            ['x-one', '1'],
            ['x-list', 'a'],
            ['x-list', 'b'],
          ],
          body: 'question',
        } as const;
        const answer = { status: 201, headers: { 'x-two': '2' }, body: 'answer' };
        const { response, endpoint } = await exchange(context, request, answer);
        const [seen] = endpoint.seen;
        assert.deepEqual(
          [seen?.method, seen?.path, seen?.authority, String(seen?.body)],
          ['PUT', '/a/b?c=d', 'shop.test:8080', 'question'],
        );
        assert.deepEqual([response.status, response.headers['x-two'], response.body], [201, '2', 'answer']);
        assert.deepEqual(valuesOf(endpoint, 'x-one'), ['1']);
        assert.equal(valuesOf(endpoint, 'x-list').join(', '), 'a, b');
        const hosts = valuesOf(endpoint, 'host');
        assert.deepEqual(hosts, upstream === 'HTTP/1' ? ['shop.test:8080'] : []);
      });

      it('carries trailers both ways', async (context) => {
        const request = { method: 'POST', body: 'x', trailers: { 'x-sum': '17' } };
        const answer = { status: 200, body: 'y', trailers: { 'x-digest': 'abc' } };
        const { response, endpoint } = await exchange(context, request, answer);
        assert.deepEqual(endpoint.seen[0]?.trailers, { 'x-sum': '17' });
        assert.equal(String(endpoint.seen[0]?.body), 'x');
        assert.deepEqual([response.body, response.trailers], ['y', { 'x-digest': 'abc' }]);
      });

      it('carries trailers behind empty bodies', async (context) => {
        const request = { method: 'POST', body: '', trailers: { 'x-sum': '0' } };
        const answer = { status: 200, trailers: { 'x-digest': 'none' } };
        const { response, endpoint } = await exchange(context, request, answer);
        assert.deepEqual([endpoint.seen[0]?.trailers, response.trailers], [{ 'x-sum': '0' }, { 'x-digest': 'none' }]);
      });

      it('passes early hints on before the response', async (context) => {
        const hints = { link: '</style.css>; rel=preload' };
        const { response } = await exchange(context, {}, { status: 200, body: 'page', hints });
        assert.deepEqual([response.interim, response.status, response.body], [[103], 200, 'page']);
      });

      it('asks for a body that the client holds back', async (context) => {
        const request = { method: 'POST', headers: [['expect', '100-continue']], body: 'held' } as const;
        const { response, endpoint } = await exchange(context, request, { status: 200, body: 'taken' });
        assert.deepEqual([response.interim, response.body], [[100], 'taken']);
        assert.deepEqual([String(endpoint.seen[0]?.body), valuesOf(endpoint, 'expect')], ['held', []]);
      });

      it('answers HEAD with the length of what GET would get', async (context) => {
        const answer = { status: 200, headers: { 'content-length': '1234' } };
        const { response } = await exchange(context, { method: 'HEAD' }, answer);
        assert.deepEqual([response.status, response.headers['content-length'], response.body], [200, '1234', '']);
      });

      for (const status of [204, 304]) {
        it(`carries ${status} without a body`, async (context) => {
          const { response } = await exchange(context, {}, { status, headers: { etag: '"x"' } });
          assert.deepEqual([response.status, response.headers.etag, response.body], [status, '"x"', '']);
          if (status === 204) assert.equal(response.headers['content-length'], undefined);
          assert.equal(response.headers['transfer-encoding'], undefined);
        });
      }

      it('sends crumbs of a cookie as one field over HTTP/1', async (context) => {
        const crumbs = downstream === 'HTTP/2' ? ['a=1', 'b=2'] : ['a=1; b=2'];
        const headers = crumbs.map((crumb) => ['cookie', crumb] as const);
        const { endpoint } = await exchange(context, { headers }, { status: 200 });
        const found = valuesOf(endpoint, 'cookie');
        assert.equal(found.join('; '), 'a=1; b=2');
        if (upstream === 'HTTP/1') assert.equal(found.length, 1);
      });

      it('keeps connection fields to their connection', async (context) => {
        const headers =
          downstream === 'HTTP/1'
            ? ([
                ['connection', 'x-hop, keep-alive'],
                ['x-hop', 'secret'],
                ['keep-alive', 'timeout=5'],
                ['proxy-connection', 'keep-alive'],
                ['te', 'trailers, deflate'],
              ] as const)
            : ([['te', 'trailers']] as const);
        const { response, endpoint } = await exchange(context, { headers }, { status: 200, body: 'x' });
        for (const name of ['x-hop', 'keep-alive', 'proxy-connection', 'upgrade']) {
          assert.deepEqual(valuesOf(endpoint, name), [], name);
        }
        if (upstream === 'HTTP/2') assert.deepEqual(valuesOf(endpoint, 'connection'), []);
        // RFC 9113 §8.2.2: `trailers` is the one coding that HTTP/2 lets a request ask for.
        for (const te of valuesOf(endpoint, 'te')) assert.equal(te, 'trailers');
        if (downstream === 'HTTP/2') assert.deepEqual(valuesOf(endpoint, 'te'), ['trailers']);
        if (downstream === 'HTTP/2') assert.equal(response.headers.connection, undefined);
      });

      it('answers 503 when the endpoint breaks off before its response', async (context) => {
        const { response } = await exchange(context, { method: 'POST', body: 'x' }, null);
        assert.equal(response.status, 503);
      });

      it('gives the client an early response while its request is still under way', async (context) => {
        const port = await startEarly(context);
        const proxy = await startProxy(context, port, upstream);
        const status =
          downstream === 'HTTP/1' ? await early1(context, proxy.port()) : await early2(context, proxy.port());
        assert.equal(status, 413);
        await until('nothing is under way', () => proxy.stat('http.test.downstream_rq_active') === 0);
        assert.equal(proxy.stat('cluster.a.upstream_rq_active'), 0);
      });

      it('cuts a response that breaks off, so that nobody takes it for whole', async (context) => {
        const proxy = await startProxy(context, await startBreaking(context), upstream);
        if (downstream === 'HTTP/1') {
          const client = await openClient(context, proxy.port());
          client.request('GET', '/');
          await assert.rejects(client.response(), /closed before a response/);
          return;
        }
        const stream = openHttp2(context, proxy.port()).request({ ':path': '/' });
        await assert.rejects(waitFor(stream, 'end'), /NGHTTP2_INTERNAL_ERROR/);
      });

      it('gives up at the endpoint what the client gives up', async (context) => {
        const given: string[] = [];
        const port = await startWaiting(context, given);
        const proxy = await startProxy(context, port, upstream);
        if (downstream === 'HTTP/1') {
          const client = await openClient(context, proxy.port());
          client.request('GET', '/');
          await until('the request arrives', () => given.includes('arrived'));
          client.close();
        } else {
          const stream = openHttp2(context, proxy.port()).request({ ':path': '/' });
          stream.on('error', () => {});
          await until('the request arrives', () => given.includes('arrived'));
          stream.close(8);
        }
        await until('the endpoint knows', () => given.includes('given up'));
      });

      // Answers 413 as soon as the first bytes of a body are there, without waiting for the rest.
      async function startEarly(context: TestContext): Promise<number> {
        if (upstream === 'HTTP/2') {
          const { port } = await startHttp2Upstream(context, (stream) => {
            stream.once('data', () => stream.respond({ ':status': 413 }, { endStream: true }));
          });
          return port;
        }
        return startTcpServer(context, (socket) => {
          socket.once('data', () => {
            socket.resume().write('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
          });
        });
      }

      async function startBreaking(context: TestContext): Promise<number> {
        if (upstream === 'HTTP/2') {
          const { port } = await startHttp2Upstream(context, (stream) => {
            stream.respond({ ':status': 200 });
            stream.write('half', () => setImmediate(() => stream.destroy(new Error('broken'))));
          });
          return port;
        }
        const half: Step = (socket) => {
          socket.write('HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf', () => socket.destroy());
        };
        return (await startUpstream(context, [half])).port;
      }

      async function startWaiting(context: TestContext, given: string[]): Promise<number> {
        if (upstream === 'HTTP/2') {
          const { port } = await startHttp2Upstream(context, (stream) => {
            given.push('arrived');
            stream.on('aborted', () => given.push('given up')).on('close', () => given.push('given up'));
          });
          return port;
        }
        const wait: Step = (socket) => {
          given.push('arrived');
          socket.on('close', () => given.push('given up'));
        };
        return (await startUpstream(context, [wait])).port;
      }
    });
  }
}

describe('a content-length that may not be', () => {
  for (const [name, head, status] of [
    ['a 204', 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n', 204],
    ['early hints', 'HTTP/1.1 103 Hints\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', 200],
  ] as const) {
    it(`of ${name} does not cost a client over HTTP/2 its response`, async (context) => {
      const { port } = await startUpstream(context, [raw(head)]);
      const proxy = await startProxy(context, port, 'HTTP/1');
      const response = await fetchBy(context, 'HTTP/2', proxy.port(), {});
      assert.deepEqual([response.status, response.body], [status, '']);
    });
  }
});

describe('a content-length that lies', () => {
  for (const downstream of protocols) {
    it(`in a response over HTTP/2 is not passed off as whole over ${downstream}`, async (context) => {
      const { port } = await startHttp2Upstream(context, (stream) => {
        stream.respond({ ':status': 200, 'content-length': '10' });
        stream.end('short');
      });
      const proxy = await startProxy(context, port, 'HTTP/2');
      await assert.rejects(fetchBy(context, downstream, proxy.port(), {}), /closed|NGHTTP2/);
    });
  }

  for (const upstream of protocols) {
    it(`in a request over HTTP/2 never reaches an endpoint over ${upstream} as whole`, async (context) => {
      const endpoint = await startEndpoint(context, upstream, { status: 200 });
      const proxy = await startProxy(context, endpoint.port, upstream);
      const head = { ':method': 'POST', ':path': '/', 'content-length': '10' };
      const stream = openHttp2(context, proxy.port()).request(head, { endStream: false });
      stream.end('short');
      await assert.rejects(waitFor(stream, 'response'), /NGHTTP2_PROTOCOL_ERROR/);
      await until('the exchange is over', () => proxy.stat('http.test.downstream_rq_active') === 0);
      assert.equal(endpoint.seen.length, 0);
    });
  }
});

async function early1(context: TestContext, port: number): Promise<number> {
  const client = await openClient(context, port);
  client.expect('POST');
  client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nfirst bytes');
  return (await client.response()).status;
}

async function early2(context: TestContext, port: number): Promise<number> {
  const stream = openHttp2(context, port).request({ ':method': 'POST', ':path': '/' }, { endStream: false });
  stream.on('error', () => {});
  stream.write('first bytes');
  const [headers] = (await waitFor(stream, 'response')) as [{ ':status'?: number }];
  return headers[':status'] ?? 0;
}
