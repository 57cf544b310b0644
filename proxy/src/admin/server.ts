// The admin server: HTTP on a loopback port for operators, probes and scrapes. Nothing of it is on the request path.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf } from '@weft/lib/error';
import type { Log } from '@weft/lib/log';
import { isOwnOrigin, isServedHost } from './origin-check.ts';
import { findPage, type PageEntry } from './pages.ts';
import { type AdminReply, textReply } from './reply.ts';
import type { AdminState, PageWait } from './state.ts';

const bodyLimitBytes = 64 * 1024;

export interface AdminServerOptions {
  /** `127.0.0.1` unless the bootstrap says otherwise. */
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly state: AdminState;
  readonly log: Log;
}

/** A running admin server. */
export interface AdminServer {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts listening; rejects when the address cannot be had. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server = createServer(
    { headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000, maxHeaderSize: 16 * 1024 },
    (request, response) => serve(request, response, options),
  );
  server.maxConnections = 100;
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  });
  await listen(server, options);
  const { address, port } = server.address() as AddressInfo;
  return { address, port, close: () => close(server) };
}

function listen(server: Server, options: AdminServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.address, () => {
      server.removeListener('error', reject);
      server.on('error', (error) => options.log.error('the admin server failed', { error }));
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

// The body of a request is of no use here; it is read to its end so that the reply arrives, within a limit.
function serve(request: IncomingMessage, response: ServerResponse, options: AdminServerOptions): void {
  let received = 0;
  request.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received <= bodyLimitBytes || response.writableEnded) return;
    response.setHeader('connection', 'close');
    send(request, response, textReply('the body is too large; admin pages take none\n', 413));
  });
  request.on('end', () => {
    if (!response.writableEnded) answer(request, response, options);
  });
}

function answer(request: IncomingMessage, response: ServerResponse, options: AdminServerOptions): void {
  const { wait } = options.state;
  if (wait === null) send(request, response, replyTo(request, options));
  else void answerForAll(request, response, options, wait);
}

// Other threads have a part in it: they are asked first, and what changes has reached them before the reply does the client.
async function answerForAll(
  request: IncomingMessage,
  response: ServerResponse,
  options: AdminServerOptions,
  wait: PageWait,
): Promise<void> {
  await wait.before(request.url ?? '');
  const reply = replyTo(request, options);
  if (request.method === 'POST') await wait.after();
  send(request, response, reply);
}

function send(request: IncomingMessage, response: ServerResponse, reply: AdminReply): void {
  const body = Buffer.from(reply.body);
  response.writeHead(reply.status, {
    'content-type': reply.type,
    'content-length': body.length,
    'cache-control': 'no-cache, max-age=0',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function replyTo(request: IncomingMessage, options: AdminServerOptions): AdminReply {
  if (!isServedHost(request.headers.host)) {
    return textReply('this host name is not served; use an address or localhost\n', 403);
  }
  const url = parseUrl(request.url ?? '/');
  if (url === null) return textReply('the path cannot be read\n', 400);
  const entry = findPage(url.path);
  if (entry === null) return textReply(`there is no page ${url.path}; see /help\n`, 404);
  const refusal = refuseMethod(request, entry);
  if (refusal !== null) return refusal;
  try {
    return entry.page(options.state, { path: url.path, query: url.query, method: request.method ?? 'GET' });
  } catch (error) {
    options.log.error('an admin page failed', { path: url.path, error });
    return textReply(`the page failed: ${messageOf(error)}\n`, 500);
  }
}

function refuseMethod(request: IncomingMessage, entry: PageEntry): AdminReply | null {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (!entry.methods.some((allowed) => allowed === method)) {
    return textReply(`${entry.path} takes ${entry.methods.join(' and ')}, not ${request.method}\n`, 405);
  }
  const { host, origin } = request.headers;
  if (method === 'POST' && !isOwnOrigin(origin, request.headers['sec-fetch-site']?.toString(), host)) {
    return textReply('changes from pages of another origin are refused\n', 403);
  }
  return null;
}

function parseUrl(target: string): { path: string; query: URLSearchParams } | null {
  const question = target.indexOf('?');
  const rawPath = question < 0 ? target : target.slice(0, question);
  try {
    const path = decodeURIComponent(rawPath);
    return path.startsWith('/')
      ? { path, query: new URLSearchParams(question < 0 ? '' : target.slice(question + 1)) }
      : null;
  } catch {
    return null;
  }
}
