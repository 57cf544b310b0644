// Upstreams that follow a script: "reply 500, then reply 204, then stall". Each request takes the next step; the last one repeats.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { type HttpMessage, MessageReader } from './http-message.ts';
import { within } from './until.ts';

type Scope = Pick<TestContext, 'after'>;

/** What an upstream does with one request. */
export type Step = (socket: Socket, request: HttpMessage) => void;

export interface ReplyParts {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Sends the body in chunks, one per entry. */
  readonly chunks?: readonly string[];
  readonly trailers?: Readonly<Record<string, string>>;
  /** Closes the connection afterwards. */
  readonly close?: boolean;
}

/** Answers, keeping the connection unless told otherwise. */
export function reply(status: number, parts: ReplyParts = {}): Step {
  return (socket) => {
    socket.write(encodeReply(status, parts));
    if (parts.close === true) socket.end();
  };
}

/** Answers with what came: method and target in the body, the request's headers as `seen-NAME`. */
export function echo(): Step {
  return (socket, request) => {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(request.headers)) headers[`seen-${name}`] = value;
    const [method = '', target = ''] = request.startLine.split(' ');
    socket.write(
      encodeReply(200, { headers, body: `${method} ${target} ${request.body.toString('latin1')}`.trimEnd() }),
    );
  };
}

/** Never answers. */
export function stall(): Step {
  return () => {};
}

/** Ends the connection with a reset instead of an answer. */
export function reset(): Step {
  return (socket) => socket.resetAndDestroy();
}

/** Closes the connection in good order without an answer. */
export function hangUp(): Step {
  return (socket) => socket.end();
}

/** Sends a head that promises more body than comes, then closes. */
export function closeMidBody(sent = 'half'): Step {
  return (socket) => {
    socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${sent.length * 2}\r\n\r\n${sent}`);
  };
}

/** Sends these bytes as they are. */
export function raw(bytes: string): Step {
  return (socket) => {
    socket.write(Buffer.from(bytes, 'latin1'));
  };
}

/** Answers once the promise resolves. */
export function after(gate: Promise<unknown>, step: Step): Step {
  return (socket, request) => {
    void gate.then(() => {
      if (!socket.destroyed) step(socket, request);
    });
  };
}

function encodeReply(status: number, parts: ReplyParts): Buffer {
  const body = Buffer.from(parts.body ?? '');
  const hasBody = status >= 200 && status !== 204 && status !== 304;
  const framing =
    parts.chunks !== undefined
      ? { 'transfer-encoding': 'chunked' }
      : hasBody
        ? { 'content-length': String(body.length) }
        : {};
  const headers = { ...framing, ...(parts.close === true ? { connection: 'close' } : {}), ...parts.headers };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} Scripted\r\n${lines.join('')}\r\n`;
  if (parts.chunks === undefined) return Buffer.concat([Buffer.from(head, 'latin1'), body]);
  const chunks = parts.chunks.map((chunk) => `${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`);
  const trailers = Object.entries(parts.trailers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${head}${chunks.join('')}0\r\n${trailers.join('')}\r\n`, 'utf8');
}

/** A running upstream and what it has seen. */
export interface Upstream {
  readonly port: number;
  readonly requests: readonly HttpMessage[];
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections open now. */
  readonly openSockets: ReadonlySet<Socket>;
  /** Resolves with the n-th request (1 is the first), also when it has been. */
  request(n: number): Promise<HttpMessage>;
  /** Replaces the steps from the next request on. */
  script(steps: readonly Step[]): void;
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

class ScriptedUpstream implements Upstream {
  readonly requests: HttpMessage[] = [];
  readonly openSockets: Set<Socket> = new Set();
  connections = 0;
  port = 0;
  private steps: readonly Step[];
  private nextStep = 0;
  private readonly waiters: { readonly n: number; readonly resolve: (request: HttpMessage) => void }[] = [];
  private readonly server = createServer({ noDelay: true }, (socket) => this.onConnection(socket));

  constructor(steps: readonly Step[]) {
    this.steps = steps;
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  request(n: number): Promise<HttpMessage> {
    const seen = this.requests[n - 1];
    if (seen !== undefined) return Promise.resolve(seen);
    const arrival = new Promise<HttpMessage>((resolve) => this.waiters.push({ n, resolve }));
    return within(`request ${n} at the upstream`, arrival);
  }

  script(steps: readonly Step[]): void {
    this.steps = steps;
    this.nextStep = 0;
  }

  async close(): Promise<void> {
    for (const socket of this.openSockets) socket.destroy();
    if (!this.server.listening) return;
    await new Promise((resolve) => this.server.close(resolve));
  }

  private onConnection(socket: Socket): void {
    this.connections++;
    this.openSockets.add(socket);
    const reader = new MessageReader();
    socket.on('error', () => {});
    socket.on('close', () => this.openSockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      for (let request = reader.next(() => 'by-headers'); request !== null; request = reader.next(() => 'by-headers')) {
        this.onRequest(socket, request);
      }
    });
  }

  private onRequest(socket: Socket, request: HttpMessage): void {
    this.requests.push(request);
    for (const waiter of this.waiters) if (waiter.n === this.requests.length) waiter.resolve(request);
    const step = this.steps[Math.min(this.nextStep, this.steps.length - 1)];
    this.nextStep++;
    step?.(socket, request);
  }
}

/** Starts an upstream on a free loopback port; it ends with the test. */
export async function startUpstream(context: Scope, steps: readonly Step[] = [echo()]): Promise<Upstream> {
  const upstream = new ScriptedUpstream(steps);
  await upstream.listen();
  context.after(() => upstream.close());
  return upstream;
}

/** A TCP server whose connections go to `onSocket`; it ends with the test. */
export async function startTcpServer(context: Scope, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets: Set<Socket> = new Set();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return (server.address() as AddressInfo).port;
}

/** A port on which nothing listens (at this moment). */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
