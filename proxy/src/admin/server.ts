// The admin server: HTTP on a loopback port for operators, probes and scrapes. Nothing of it is on the request path.

import { type AddressInfo, createServer, type Server } from 'node:net';
import { messageOf } from '@weft/lib/error';
import type { Log } from '@weft/lib/log';
import { Connection } from '../io/connection.ts';
import { type AdminCall, AdminConnection } from './admin-connection.ts';
import { isOwnOrigin, isServedHost } from './origin-check.ts';
import { findPage, type PageEntry } from './pages.ts';
import { type AdminReply, textReply } from './reply.ts';
import type { AdminState, PageWait } from './state.ts';

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
  const connections: Set<Connection> = new Set();
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    const connection = new Connection(socket);
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
    new AdminConnection(connection, options.state.clock, (call, reply) => answer(call, options, reply));
  });
  server.maxConnections = 100;
  await listen(server, options);
  const { address, port } = server.address() as AddressInfo;
  return { address, port, close: () => close(server, connections) };
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

function close(server: Server, connections: ReadonlySet<Connection>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const connection of connections) connection.destroy();
  });
}

type Reply = (reply: AdminReply) => void;

function answer(call: AdminCall, options: AdminServerOptions, reply: Reply): void {
  const { wait } = options.state;
  if (wait === null) reply(replyTo(call, options));
  else void answerForAll(call, options, wait).then(reply);
}

// Other threads have a part in it: they are asked first, and what changes has reached them before the reply does the client.
async function answerForAll(call: AdminCall, options: AdminServerOptions, wait: PageWait): Promise<AdminReply> {
  await wait.before(call.target);
  const reply = replyTo(call, options);
  if (call.method === 'POST') await wait.after();
  return reply;
}

function replyTo(call: AdminCall, options: AdminServerOptions): AdminReply {
  if (!isServedHost(call.authority)) {
    return textReply('this host name is not served; use an address or localhost\n', 403);
  }
  const url = parseUrl(call.target);
  if (url === null) return textReply('the path cannot be read\n', 400);
  const entry = findPage(url.path);
  if (entry === null) return textReply(`there is no page ${url.path}; see /help\n`, 404);
  const refusal = refuseMethod(call, entry);
  if (refusal !== null) return refusal;
  try {
    return entry.page(options.state, { path: url.path, query: url.query, method: call.method });
  } catch (error) {
    options.log.error('an admin page failed', { path: url.path, error });
    return textReply(`the page failed: ${messageOf(error)}\n`, 500);
  }
}

function refuseMethod(call: AdminCall, entry: PageEntry): AdminReply | null {
  const method = call.method === 'HEAD' ? 'GET' : call.method;
  if (!entry.methods.some((allowed) => allowed === method)) {
    return textReply(`${entry.path} takes ${entry.methods.join(' and ')}, not ${call.method}\n`, 405);
  }
  const { headers, authority } = call;
  if (method === 'POST' && !isOwnOrigin(headers.get('origin'), headers.get('sec-fetch-site'), authority)) {
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
