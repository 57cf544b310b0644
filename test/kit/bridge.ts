// Either end of an exchange in either protocol, with one face: what a client sends and gets, what an endpoint sees and answers.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { openClient } from './client.ts';
import { fetchHttp2, openHttp2 } from './http2-client.ts';
import { startHttp2Upstream } from './http2-server.ts';

type Scope = Pick<TestContext, 'after'>;
type Fields = Readonly<Record<string, string>>;

export type Protocol = 'HTTP/1' | 'HTTP/2';

/** A request as it reached the endpoint. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  /** Names in lower case, values of repeated ones apart. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly trailers: Fields;
}

/** What the endpoint answers. */
export interface BridgeReply {
  readonly status: number;
  readonly headers?: Fields;
  readonly body?: string;
  readonly trailers?: Fields;
  /** 103 before it, with these fields. */
  readonly hints?: Fields;
}

export interface BridgeEndpoint {
  readonly port: number;
  readonly seen: SeenRequest[];
}

/** What a client got. */
export interface BridgeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly trailers: Fields;
  readonly interim: readonly number[];
}

export interface BridgeRequest {
  readonly method?: string;
  readonly path?: string;
  readonly authority?: string;
  /** Given as pairs, so that names can be repeated. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  readonly trailers?: Fields;
}

function pairsOf(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([(raw[i] ?? '').toLowerCase(), raw[i + 1] ?? '']);
  return pairs;
}

async function bodyOf(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Starts an endpoint that answers every whole request alike; null breaks the exchange off instead. */
export function startEndpoint(scope: Scope, protocol: Protocol, answer: BridgeReply | null): Promise<BridgeEndpoint> {
  return protocol === 'HTTP/1' ? startHttp1(scope, answer) : startHttp2(scope, answer);
}

async function startHttp1(scope: Scope, answer: BridgeReply | null): Promise<BridgeEndpoint> {
  const seen: SeenRequest[] = [];
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const body = await bodyOf(request).catch(() => null);
    if (body === null) return;
    const { method = '', url: path = '' } = request;
    const headers = pairsOf(request.rawHeaders);
    const trailers = Object.fromEntries(pairsOf(request.rawTrailers));
    seen.push({ method, path, authority: request.headers.host ?? '', headers, body, trailers });
    if (answer === null) request.socket.resetAndDestroy();
    else answerHttp1(response, answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, seen };
}

function answerHttp1(response: ServerResponse, { status, headers, body, trailers, hints }: BridgeReply): void {
  if (hints !== undefined) response.writeEarlyHints(hints);
  response.sendDate = false;
  response.writeHead(status, { ...headers, ...(trailers === undefined ? {} : { 'transfer-encoding': 'chunked' }) });
  if (body !== undefined) response.write(body);
  if (trailers !== undefined) response.addTrailers(trailers);
  response.end();
}

async function startHttp2(scope: Scope, answer: BridgeReply | null): Promise<BridgeEndpoint> {
  const seen: SeenRequest[] = [];
  const { port, server } = await startHttp2Upstream(scope, () => {});
  server.on('stream', async (stream: ServerHttp2Stream, head: IncomingHttpHeaders, _flags: number, raw: string[]) => {
    let trailers: Fields = {};
    stream.on('trailers', (found: IncomingHttpHeaders) => {
      trailers = Object.fromEntries(Object.entries(found as Fields));
    });
    const body = await bodyOf(stream).catch(() => null);
    if (body === null || stream.destroyed) return;
    const headers = pairsOf(raw).filter(([name]) => !name.startsWith(':'));
    const { ':method': method = '', ':path': path = '', ':authority': authority = '' } = head as Fields;
    seen.push({ method, path, authority, headers, body, trailers });
    if (answer === null) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else answerHttp2(stream, answer);
  });
  return { port, seen };
}

function answerHttp2(stream: ServerHttp2Stream, { status, headers, body, trailers, hints }: BridgeReply): void {
  if (hints !== undefined) stream.additionalHeaders({ ':status': 103, ...hints });
  if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  const endStream = body === undefined && trailers === undefined;
  stream.respond({ ':status': status, ...headers }, { endStream, waitForTrailers: trailers !== undefined });
  if (!endStream) stream.end(body ?? '');
}

/** Sends one request and waits for the whole response. */
export function fetchBy(
  scope: Scope,
  protocol: Protocol,
  port: number,
  request: BridgeRequest,
): Promise<BridgeResponse> {
  return protocol === 'HTTP/1' ? fetchHttp1(scope, port, request) : fetchOverHttp2(scope, port, request);
}

async function fetchHttp1(scope: Scope, port: number, request: BridgeRequest): Promise<BridgeResponse> {
  const { method = 'GET', path = '/', authority = 'web.test', headers = [], body, trailers } = request;
  const client = await openClient(scope, port);
  const isChunked = trailers !== undefined;
  const framing = isChunked
    ? 'transfer-encoding: chunked\r\n'
    : body === undefined
      ? ''
      : `content-length: ${body.length}\r\n`;
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const chunk = body === undefined || body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`;
  const tail = Object.entries(trailers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
  client.expect(method);
  client.send(`${method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n${lines}${framing}\r\n`);
  client.send(isChunked ? `${chunk}0\r\n${tail.join('')}\r\n` : (body ?? ''));
  const interim: number[] = [];
  for (;;) {
    const response = await client.response();
    if (response.status >= 200) return { ...response, body: response.text, interim };
    interim.push(response.status);
  }
}

async function fetchOverHttp2(scope: Scope, port: number, request: BridgeRequest): Promise<BridgeResponse> {
  const { method = 'GET', path = '/', authority = 'web.test', headers = [], body, trailers } = request;
  const fields: Record<string, string | string[]> = {};
  for (const [name, value] of headers) {
    const known = fields[name];
    fields[name] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value];
  }
  const head = { ':method': method, ':path': path, ':authority': authority, ...fields };
  const response = await fetchHttp2(openHttp2(scope, port), head, {
    ...(body === undefined ? {} : { body }),
    ...(trailers === undefined ? {} : { trailers }),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: response.body.toString(),
    trailers: Object.fromEntries(Object.entries(response.trailers as Fields)),
    interim: response.interim.map((one) => Number(one[':status'])),
  };
}
