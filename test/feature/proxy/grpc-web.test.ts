// gRPC-Web through the real proxy: what a browser sends over either HTTP, and what a gRPC server behind it sees.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { frame } from '../../kit/grpc-message.ts';
import { fetchHttp2, openHttp2 } from '../../kit/http2-client.ts';
import { startHttp2Upstream } from '../../kit/http2-server.ts';
import { until, waitFor } from '../../kit/until.ts';
import { closedPort, reply, startUpstream } from '../../kit/upstream.ts';
import {
  cluster,
  http2Only,
  httpManager,
  httpManagerFor,
  listener,
  routeTo,
  startTestProxy,
  type TestProxy,
} from './fixture.ts';

const grpcWeb = {
  name: 'envoy.filters.http.grpc_web',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb' },
};

const trailerText = 'grpc-status: 0\r\ngrpc-message: fine\r\n';
const trailerFrame = Buffer.concat([Buffer.from([0x80, 0, 0, 0, trailerText.length]), Buffer.from(trailerText)]);

function startProxy(context: TestContext, port: number, more: object = http2Only): Promise<TestProxy> {
  return startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a')], { filters: [grpcWeb] }))],
    clusters: [cluster('a', [port], { ...more })],
  }));
}

interface Seen {
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** Answers the body that came, then the status. */
async function startEcho(context: TestContext): Promise<{ port: number; seen: Seen[] }> {
  const seen: Seen[] = [];
  const { port } = await startHttp2Upstream(context, (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      if (stream.aborted) return;
      seen.push({ headers, body: Buffer.concat(chunks) });
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }));
      stream.end(Buffer.concat(chunks));
    });
  });
  return { port, seen };
}

describe('gRPC-Web', () => {
  for (const type of ['application/grpc-web', 'application/grpc-web+proto']) {
    it(`turns a binary call of ${type} into gRPC and its trailers into the last frame`, async (context) => {
      const { port, seen } = await startEcho(context);
      const proxy = await startProxy(context, port);
      const client = await openClient(context, proxy.port());
      client.request('POST', '/s/M', { 'content-type': type, 'x-grpc-web': '1' }, frame('hi').toString('latin1'));
      const response = await client.response();
      assert.equal(response.status, 200);
      assert.equal(response.headers['content-type'], 'application/grpc-web+proto');
      assert.deepEqual(response.body, Buffer.concat([frame('hi'), trailerFrame]));
      assert.equal(seen[0]?.headers['content-type'], type.replace('-web', ''));
      assert.equal(seen[0]?.headers.te, 'trailers');
      // The connection is good for another call.
      client.request('POST', '/s/M', { 'content-type': type }, frame('again').toString('latin1'));
      assert.deepEqual((await client.response()).body, Buffer.concat([frame('again'), trailerFrame]));
    });
  }

  it('does the same over HTTP/2', async (context) => {
    const { port } = await startEcho(context);
    const proxy = await startProxy(context, port);
    const headers = { ':method': 'POST', ':path': '/s/M', 'content-type': 'application/grpc-web+proto' };
    const response = await fetchHttp2(openHttp2(context, proxy.port()), headers, { body: frame('hi') });
    assert.deepEqual(response.body, Buffer.concat([frame('hi'), trailerFrame]));
    assert.deepEqual({ ...response.trailers }, {});
  });

  it('reads text that is cut anywhere and made of padded runs, and answers in text', async (context) => {
    const { port, seen } = await startEcho(context);
    const proxy = await startProxy(context, port);
    const text = frame('hi').toString('base64') + frame('there').toString('base64');
    const type = 'application/grpc-web-text';
    for (let cut = 0; cut <= text.length; cut += 3) {
      const client = await openClient(context, proxy.port());
      client.send(`POST /s/M HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`);
      for (const part of [text.slice(0, cut), text.slice(cut)]) {
        if (part !== '') client.send(`${part.length.toString(16)}\r\n${part}\r\n`);
      }
      client.send('0\r\n\r\n');
      const response = await client.response();
      assert.equal(response.headers['content-type'], 'application/grpc-web-text+proto');
      const decoded = (response.text.match(/[A-Za-z0-9+/]+={0,2}/g) ?? []).map((run) => Buffer.from(run, 'base64'));
      assert.deepEqual(Buffer.concat(decoded), Buffer.concat([frame('hi'), frame('there'), trailerFrame]), `${cut}`);
      client.close();
    }
    for (const { body } of seen) assert.deepEqual(body, Buffer.concat([frame('hi'), frame('there')]));
  });

  it('answers in the form that accept asks for', async (context) => {
    const { port } = await startEcho(context);
    const proxy = await startProxy(context, port);
    const client = await openClient(context, proxy.port());
    const body = frame('hi').toString('latin1');
    const ask = (accept: string) =>
      client.fetch('POST', '/s/M', { 'content-type': 'application/grpc-web', accept }, body);
    assert.equal((await ask('application/grpc-web-text')).headers['content-type'], 'application/grpc-web-text+proto');
    assert.equal((await ask('application/grpc-web')).headers['content-type'], 'application/grpc-web+proto');
    assert.equal((await ask('*/*')).headers['content-type'], 'application/grpc-web+proto');
  });

  it('refuses text that is no base64', async (context) => {
    const { port, seen } = await startEcho(context);
    const proxy = await startProxy(context, port);
    for (const body of ['!!!!', 'AAAA=', 'AAAAA']) {
      const client = await openClient(context, proxy.port());
      const response = await client.fetch('POST', '/s/M', { 'content-type': 'application/grpc-web-text' }, body);
      assert.equal(response.headers['grpc-status'], '13', body);
      client.close();
    }
    assert.equal(seen.length, 0);
  });

  it('sends each message on as it comes, in both directions', async (context) => {
    const streams: ServerHttp2Stream[] = [];
    const { port } = await startHttp2Upstream(context, (stream) => streams.push(stream));
    const proxy = await startProxy(context, port);
    const session = openHttp2(context, proxy.port());
    const call = session.request({ ':method': 'POST', ':path': '/s/M', 'content-type': 'application/grpc-web-text' });
    call.write(frame('one').toString('base64'));
    await until('the call arrives', () => streams.length === 1);
    const [stream] = streams;
    assert.ok(stream);
    assert.deepEqual((await waitFor(stream, 'data'))[0], frame('one'));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    stream.write(frame('two'));
    const [answer] = (await waitFor(call, 'data')) as [Buffer];
    assert.deepEqual(Buffer.from(answer.toString(), 'base64'), frame('two'));
    call.close();
    await once(stream, 'close');
  });

  it('slows the server down to the pace of a slow browser, and loses nothing', async (context) => {
    const piece = Buffer.alloc(64 * 1024, 0x5a);
    const pieces = 320;
    const { port } = await startHttp2Upstream(context, async (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      for (let i = 0; i < pieces && !stream.destroyed; i++) if (!stream.write(piece)) await once(stream, 'drain');
      stream.end();
    });
    const proxy = await startProxy(context, port);
    const session = openHttp2(context, proxy.port());
    const call = session.request({ ':method': 'POST', ':path': '/s/M', 'content-type': 'application/grpc-web-text' });
    call.end();
    await waitFor(call, 'response');
    await until(
      'the server is held back',
      () => proxy.stat('cluster.a.upstream_flow_control_paused_reading_total') > 0,
    );
    let text = '';
    call.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    await waitFor(call, 'end', 20_000);
    let bytes = 0;
    let last = Buffer.alloc(0);
    for (const run of text.match(/[A-Za-z0-9+/]+={0,2}/g) ?? []) {
      last = Buffer.from(run, 'base64');
      bytes += last.length;
    }
    const trailers = 'grpc-status: 0\r\n';
    assert.equal(bytes, pieces * piece.length + 5 + trailers.length);
    assert.ok(last.toString('latin1').endsWith(trailers));
  });

  it('leaves a trailers-only response as it is, but for its type', async (context) => {
    const { port } = await startHttp2Upstream(context, (stream) => {
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5', 'grpc-message': 'none' },
        { endStream: true },
      );
    });
    const proxy = await startProxy(context, port);
    const client = await openClient(context, proxy.port());
    const response = await client.fetch('POST', '/s/M', { 'content-type': 'application/grpc-web-text' }, 'AAAAAAA=');
    assert.deepEqual([response.status, response.headers['grpc-status'], response.text], [200, '5', '']);
    assert.equal(response.headers['content-type'], 'application/grpc-web-text+proto');
  });

  it('tells of a server that is away in gRPC', async (context) => {
    const proxy = await startProxy(context, await closedPort());
    const client = await openClient(context, proxy.port());
    const response = await client.fetch('POST', '/s/M', { 'content-type': 'application/grpc-web' }, 'x');
    assert.deepEqual([response.status, response.headers['grpc-status']], [200, '14']);
    assert.equal(response.headers['content-type'], 'application/grpc-web+proto');
    assert.ok(response.headers['grpc-message']);
  });

  it('turns an answer that is no gRPC into a status', async (context) => {
    const upstream = await startUpstream(context, [
      reply(503, { headers: { 'content-type': 'text/html' }, body: '<h1>' }),
      reply(200, { headers: { 'content-type': 'text/html' }, body: '<h1>' }),
      reply(503, { headers: { 'content-type': 'application/grpc' }, body: 'busy' }),
    ]);
    const proxy = await startProxy(context, upstream.port, {});
    const client = await openClient(context, proxy.port());
    const ask = () => client.fetch('POST', '/s/M', { 'content-type': 'application/grpc-web' }, 'x');
    const unavailable = await ask();
    assert.deepEqual([unavailable.status, unavailable.headers['grpc-status'], unavailable.text], [200, '14', '']);
    assert.match(unavailable.headers['grpc-message'] ?? '', /HTTP status 503 and content type text\/html/);
    assert.equal((await ask()).headers['grpc-status'], '2');
    const called = await ask();
    assert.deepEqual([called.status, called.headers['grpc-status'], called.text], [200, '14', '']);
  });

  it('cuts the response when the server resets the stream in the middle', async (context) => {
    const streams: ServerHttp2Stream[] = [];
    const { port } = await startHttp2Upstream(context, (stream) => {
      streams.push(stream);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write(frame('one'));
    });
    const proxy = await startProxy(context, port);
    const client = await openClient(context, proxy.port());
    client.request('POST', '/s/M', { 'content-type': 'application/grpc-web' }, 'x');
    await client.received(frame('one').length);
    streams[0]?.destroy(new Error('cut'));
    await assert.rejects(client.response(), /closed before a response/);
  });

  it('goes with a policy for other origins, as a browser asks', async (context) => {
    const { port } = await startEcho(context);
    const typed = 'type.googleapis.com/envoy.extensions.filters.http.cors.v3';
    const policy = {
      '@type': `${typed}.CorsPolicy`,
      allow_origin_string_match: [{ exact: 'https://shop.example' }],
      allow_methods: 'POST',
      allow_headers: 'content-type,x-grpc-web',
      expose_headers: 'grpc-status,grpc-message',
    };
    const cors = { name: 'envoy.filters.http.cors', typed_config: { '@type': `${typed}.Cors` } };
    const route = routeTo('a', {}, { typed_per_filter_config: { [cors.name]: policy } });
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([route], { filters: [grpcWeb, cors] }))],
      clusters: [cluster('a', [port], http2Only)],
    }));
    const client = await openClient(context, proxy.port());
    const origin = 'https://shop.example';
    const preflight = await client.fetch('OPTIONS', '/s/M', { origin, 'access-control-request-method': 'POST' });
    assert.deepEqual(
      [preflight.status, preflight.headers['access-control-allow-headers']],
      [200, 'content-type,x-grpc-web'],
    );
    const headers = { origin, 'content-type': 'application/grpc-web' };
    const response = await client.fetch('POST', '/s/M', headers, frame('hi').toString('latin1'));
    assert.equal(response.headers['access-control-allow-origin'], origin);
    assert.equal(response.headers['access-control-expose-headers'], 'grpc-status,grpc-message');
    assert.deepEqual(response.body, Buffer.concat([frame('hi'), trailerFrame]));
  });

  it('goes by the policy of the virtual host where that of the route says nothing', async (context) => {
    const { port } = await startEcho(context);
    const typed = 'type.googleapis.com/envoy.extensions.filters.http.cors.v3';
    const cors = { name: 'envoy.filters.http.cors', typed_config: { '@type': `${typed}.Cors` } };
    const policy = (fields: object) => ({
      typed_per_filter_config: { [cors.name]: { '@type': `${typed}.CorsPolicy`, ...fields } },
    });
    const forAll = { allow_origin_string_match: [{ exact: 'https://a' }], allow_methods: 'POST', max_age: '60' };
    const routes = [
      { match: { path: '/own' }, ...policy({ allow_origin_string_match: [{ exact: 'https://b' }] }) },
      { match: { path: '/same' }, ...policy({ allow_credentials: false, allow_methods: 'PUT' }) },
      { match: { path: '/off' }, ...policy({ filter_enabled: { default_value: { numerator: 0 } } }) },
    ].map((route) => ({ ...route, route: { cluster: 'a' } }));
    const host = { name: 'all', domains: ['*'], routes, ...policy({ ...forAll, allow_credentials: true }) };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManagerFor([host], { filters: [cors] }))],
      clusters: [cluster('a', [port], http2Only)],
    }));
    const client = await openClient(context, proxy.port());
    const names = ['origin', 'credentials', 'methods'].map((name) => `access-control-allow-${name}`);
    const ask = async (path: string, origin: string): Promise<(string | undefined)[]> => {
      const { headers } = await client.fetch('OPTIONS', path, { origin, 'access-control-request-method': 'POST' });
      return names.map((name) => headers[name]);
    };
    assert.deepEqual(await ask('/own', 'https://b'), ['https://b', 'true', 'POST']);
    assert.deepEqual(await ask('/own', 'https://a'), [undefined, undefined, undefined]);
    assert.deepEqual(await ask('/same', 'https://a'), ['https://a', undefined, 'PUT']);
    assert.deepEqual(await ask('/off', 'https://a'), [undefined, undefined, undefined]);
  });

  it('is switched off, or set, for a route by a FilterConfig', async (context) => {
    const { port } = await startEcho(context);
    const wrapper = { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig' };
    const typed = 'type.googleapis.com/envoy.extensions.filters.http';
    const cors = { name: 'envoy.filters.http.cors', typed_config: { '@type': `${typed}.cors.v3.Cors` } };
    const policy = { '@type': `${typed}.cors.v3.CorsPolicy`, allow_origin_string_match: [{ exact: 'https://a' }] };
    const routes = [
      routeTo(
        'a',
        {},
        { match: { path: '/off' }, typed_per_filter_config: { [grpcWeb.name]: { ...wrapper, disabled: true } } },
      ),
      routeTo('a', {}, { typed_per_filter_config: { [cors.name]: { ...wrapper, config: policy } } }),
    ];
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager(routes, { filters: [grpcWeb, cors] }))],
      clusters: [cluster('a', [port], http2Only)],
    }));
    const client = await openClient(context, proxy.port());
    const ask = (path: string) =>
      client.fetch('POST', path, { origin: 'https://a', 'content-type': 'application/grpc-web' }, 'x');
    const [off, on] = [await ask('/off'), await ask('/on')];
    assert.equal(off.headers['content-type'], 'application/grpc');
    assert.equal(on.headers['content-type'], 'application/grpc-web+proto');
    const origin = 'access-control-allow-origin';
    assert.deepEqual([off.headers[origin], on.headers[origin]], [undefined, 'https://a']);
  });

  it('leaves other requests alone, gRPC among them', async (context) => {
    const { port, seen } = await startEcho(context);
    const proxy = await startProxy(context, port);
    const headers = { ':method': 'POST', ':path': '/s/M', 'content-type': 'application/grpc' };
    const response = await fetchHttp2(openHttp2(context, proxy.port()), headers, { body: frame('hi') });
    assert.deepEqual(response.body, frame('hi'));
    assert.equal(response.trailers['grpc-status'], '0');
    assert.equal(seen[0]?.headers['content-type'], 'application/grpc');
  });
});
