// An HTTP/1 upstream that writes down what reaches it and answers as the case says.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type HttpMessage, MessageReader } from '../../kit/http-message.ts';
import type { Case } from './case.ts';
import { bodyLine, type Fields, fieldLines, shortText } from './outcome.ts';

const usual = 'HTTP/1.1 200 OK\r\nx-up: 1\r\ncontent-length: 2\r\n\r\nok';
const usualHead = 'HTTP/1.1 200 OK\r\nx-up: 1\r\ncontent-length: 2\r\n\r\n';

export class Http1Recorder {
  /** When something came last. */
  activeMs = 0;
  private lines: string[] = [];
  private count = 0;
  private current: Case | null = null;
  private readonly sockets: Set<Socket> = new Set();
  private readonly server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.onConnection(socket));

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  begin(one: Case): void {
    this.lines = [];
    this.count = 0;
    this.current = one;
  }

  /** What came since `begin`; every connection is closed. */
  async end(): Promise<string[]> {
    this.current = null;
    const closed = [...this.sockets].map((socket) => once(socket, 'close'));
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(closed);
    return this.lines;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private onConnection(socket: Socket): void {
    const reader = new MessageReader();
    let isTunnel = false;
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      this.sockets.delete(socket);
      if (reader.rest.length > 0) this.lines.push(`> unfinished ${partText(reader.rest)}`);
    });
    socket.on('data', (chunk: Buffer) => {
      this.activeMs = performance.now();
      reader.push(chunk);
      while (!isTunnel && isFramed(reader.rest)) {
        const request = reader.next(() => 'by-headers');
        if (request === null) break;
        isTunnel = this.onRequest(socket, request);
      }
    });
  }

  // Whether what follows on the connection is a tunnel's.
  private onRequest(socket: Socket, request: HttpMessage): boolean {
    const prefix = `>${++this.count}`;
    this.lines.push(
      `${prefix} ${shortText(request.startLine)}`,
      ...fieldLines(prefix, parseFields(request.headerLines)),
    );
    this.lines.push(
      ...bodyLine(prefix, request.body),
      ...fieldLines(`${prefix} trailer`, Object.entries(request.trailers)),
    );
    const { current } = this;
    const answer = current?.answer ?? null;
    if (answer === null) socket.write(request.startLine.startsWith('HEAD ') ? usualHead : usual);
    else socket.write(answer);
    if (current?.answerCloses === true) socket.end();
    return answer?.toString().startsWith('HTTP/1.1 101') === true || request.startLine.startsWith('CONNECT ');
  }
}

// The reader believes any length.
function isFramed(bytes: Buffer): boolean {
  const head = bytes.toString('latin1', 0, Math.max(0, bytes.indexOf('\r\n\r\n')));
  const lengths = [...head.matchAll(/\r\ncontent-length:[ \t]*(.*?)[ \t]*(?=\r|$)/gi)];
  return lengths.length <= 1 && lengths.every(([, value = '']) => /^\d+$/.test(value));
}

// The head of an unfinished message counts, not how many bytes of its body got through in time.
function partText(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  const [startLine = ''] = text.split('\r\n');
  const end = text.indexOf('\r\n\r\n');
  return `${shortText(startLine)}${end < 0 ? '' : `, body ${shortText(text.slice(end + 4))}`}`;
}

export function parseFields(lines: readonly string[]): Fields {
  return lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
}
