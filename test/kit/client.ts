// An HTTP/1 client that sends exactly the bytes it is given and collects what comes back.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { Changes } from './changes.ts';
import { type BodyRule, type HttpMessage, MessageReader } from './http-message.ts';
import { within } from './until.ts';

type Scope = Pick<TestContext, 'after'>;

/** A response with its status as a number. */
export interface ClientResponse extends HttpMessage {
  readonly status: number;
  readonly text: string;
}

/** One connection. */
export class RawClient {
  readonly socket: Socket;
  private readonly reader = new MessageReader();
  private readonly methods: string[] = [];
  private readonly changes = new Changes();
  private isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.reader.push(chunk);
      this.changes.tell();
    });
    socket.on('end', () => {
      this.reader.end();
      this.changes.tell();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.reader.end();
      this.changes.tell();
    });
  }

  /** Sends bytes; text is latin1. */
  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Tells the method of a request that is sent by hand: whether a response has a body depends on it. */
  expect(method: string): void {
    this.methods.push(method);
  }

  /** Sends a request without waiting for its response. */
  request(method: string, target: string, headers: Readonly<Record<string, string>> = {}, body = ''): void {
    this.expect(method);
    const all: Record<string, string> = { host: 'test.example', ...headers };
    if (body !== '') all['content-length'] = String(Buffer.byteLength(body));
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.send(Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`, 'utf8'));
  }

  /** The next response, final or interim, in order. */
  async response(waitMs?: number): Promise<ClientResponse> {
    const method = this.methods.shift() ?? 'GET';
    const message = await this.next('a response', (line) => ruleFor(method, line), waitMs);
    const status = Number(message.startLine.split(' ')[1]);
    // An interim response does not use the request up.
    if (status < 200 && status !== 101) this.methods.unshift(method);
    return { ...message, status, text: message.body.toString('utf8') };
  }

  /** A request and its response. */
  fetch(
    method: string,
    target: string,
    headers?: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<ClientResponse> {
    this.request(method, target, headers, body);
    return this.response();
  }

  /** Bytes that came and belong to no response taken. */
  get rest(): Buffer {
    return this.reader.rest;
  }

  /** Resolves when at least so many such bytes are there. */
  async received(bytes: number): Promise<Buffer> {
    await within(
      `${bytes} bytes`,
      this.changes.find(() => (this.reader.rest.length >= bytes ? true : null)),
    );
    return this.reader.rest;
  }

  /** Resolves when the other side has closed or reset the connection. */
  async closed(): Promise<void> {
    await within(
      'the end of the connection',
      this.changes.find(() => (this.isClosed ? true : null)),
    );
  }

  close(): void {
    this.socket.destroy();
  }

  private next(what: string, ruleOf: (startLine: string) => BodyRule, waitMs?: number): Promise<HttpMessage> {
    const found = this.changes.find(() => {
      const message = this.reader.next(ruleOf);
      if (message !== null) return message;
      if (!this.isClosed) return null;
      throw new Error(`the connection closed before ${what}; it left ${JSON.stringify(this.rest.toString('latin1'))}`);
    });
    return within(what, found, waitMs);
  }
}

function ruleFor(method: string, startLine: string): BodyRule {
  const status = Number(startLine.split(' ')[1]);
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 'none';
  if (method === 'CONNECT' && status < 300) return 'none';
  return 'by-headers-or-close';
}

/** Connects to a loopback port; the connection ends with the test. */
export async function openClient(context: Scope, port: number): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  context.after(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return new RawClient(socket);
}

/** One request on a connection of its own. */
export async function fetchOnce(
  context: Scope,
  port: number,
  target: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<ClientResponse> {
  const client = await openClient(context, port);
  const response = await client.fetch('GET', target, headers);
  client.close();
  return response;
}
