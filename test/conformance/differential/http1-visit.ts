// A client that sends the bytes of a case over HTTP/1 and says what it got.

import { connect, type Socket } from 'node:net';
import { type BodyRule, MessageReader } from '../../kit/http-message.ts';
import type { Case } from './case.ts';
import { parseFields } from './http1-recorder.ts';
import { bodyLine, fieldLines, shortText } from './outcome.ts';

/** Connects from that address. */
export function openSocket(port: number, localAddress: string): Socket {
  return connect({ port, host: '127.0.0.1', localAddress, noDelay: true, allowHalfOpen: true });
}

const eofDelayMs = 100;

/** What a client of either protocol tells. */
export interface Visit {
  readonly socket: Socket;
  /** When something came last. */
  readonly activeMs: number;
  readonly isOver: boolean;
  lines(): string[];
}

export class Http1Visit implements Visit {
  readonly socket: Socket;
  activeMs: number = performance.now();
  isOver = false;
  private readonly reader = new MessageReader();
  private readonly methods: string[];

  constructor(port: number, one: Case) {
    this.methods = methodsOf(one.input);
    this.socket = openSocket(port, one.address);
    this.socket.write(one.input);
    // Later, so that it is no race between the end and the connection to the upstream.
    if (one.eof) {
      setTimeout(() => {
        this.activeMs = performance.now();
        this.socket.end();
      }, eofDelayMs);
    }
    this.socket.on('data', (chunk: Buffer) => {
      this.activeMs = performance.now();
      this.reader.push(chunk);
    });
    this.socket.on('end', () => this.finish());
    this.socket.on('error', () => this.finish());
    this.socket.on('close', () => this.finish());
  }

  // Whether it ends by FIN or by RST depends on what was not read yet.
  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.reader.end();
  }

  lines(): string[] {
    const lines: string[] = [];
    let number = 1;
    for (;;) {
      const method = this.methods[number - 1] ?? 'GET';
      const message = this.reader.next((startLine) => ruleFor(method, startLine));
      if (message === null) break;
      const prefix = `<${number}`;
      const status = message.startLine.split(' ')[1] ?? '';
      const isUpstreams = message.headers['x-up'] !== undefined;
      lines.push(`${prefix} ${status}${isUpstreams ? '' : ' local'}`);
      if (isUpstreams)
        lines.push(...fieldLines(prefix, parseFields(message.headerLines)), ...bodyLine(prefix, message.body));
      lines.push(...fieldLines(`${prefix} trailer`, Object.entries(message.trailers)));
      if (Number(status) >= 200 || status === '101') number++;
    }
    if (this.reader.rest.length > 0) lines.push(`<${number} unfinished ${restText(this.reader.rest)}`);
    return [...lines, this.isOver ? 'closed' : 'open'];
  }
}

function restText(rest: Buffer): string {
  return rest.subarray(0, 5).toString() === 'HTTP/'
    ? rest.toString('latin1', 9, 12)
    : shortText(rest.toString('latin1'));
}

function ruleFor(method: string, startLine: string): BodyRule {
  const status = Number(startLine.split(' ')[1]);
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 'none';
  return method === 'CONNECT' && status < 300 ? 'none' : 'by-headers-or-close';
}

// Good enough for those whose answers have no body.
function methodsOf(input: Buffer): string[] {
  return [...input.toString('latin1').matchAll(/(?:^|\n)([A-Za-z]+) [^\r\n]* HTTP\/1\.[01]\r?\n/g)].map(
    ([, method = '']) => method,
  );
}
