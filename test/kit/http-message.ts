// Reads HTTP/1 messages from a byte stream for tests: plain, unhurried, and with no code of the proxy's in it.

/** One message as it came. */
export interface HttpMessage {
  /** `GET / HTTP/1.1` or `HTTP/1.1 200 OK` */
  readonly startLine: string;
  /** Lower-case name to value; several of one name joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** The head's lines after the first, as they came. */
  readonly headerLines: readonly string[];
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string>>;
}

/** How the body of a message ends. */
export type BodyRule = 'none' | 'by-headers' | 'by-headers-or-close';

/** Takes bytes, gives whole messages. */
export class MessageReader {
  private bytes: Buffer = Buffer.alloc(0);
  private isEnded = false;

  push(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
  }

  end(): void {
    this.isEnded = true;
  }

  /** What has come and belongs to no message yet. */
  get rest(): Buffer {
    return this.bytes;
  }

  /** The next whole message, or null when it is not all there. `ruleOf` decides by the start line. */
  next(ruleOf: (startLine: string) => BodyRule): HttpMessage | null {
    const headEnd = this.bytes.indexOf('\r\n\r\n');
    if (headEnd < 0) return null;
    const [startLine = '', ...headerLines] = this.bytes.toString('latin1', 0, headEnd).split('\r\n');
    const headers = parseLines(headerLines);
    const found = readBody(this.bytes.subarray(headEnd + 4), headers, ruleOf(startLine), this.isEnded);
    if (found === null) return null;
    this.bytes = this.bytes.subarray(headEnd + 4 + found.length);
    return { startLine, headers, headerLines, body: found.body, trailers: found.trailers };
  }
}

interface FoundBody {
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string>>;
  /** Bytes it took on the wire. */
  readonly length: number;
}

function parseLines(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}

function readBody(
  rest: Buffer,
  headers: Readonly<Record<string, string>>,
  rule: BodyRule,
  isEnded: boolean,
): FoundBody | null {
  const none: FoundBody = { body: Buffer.alloc(0), trailers: {}, length: 0 };
  if (rule === 'none') return none;
  if (headers['transfer-encoding']?.endsWith('chunked') === true) return readChunked(rest);
  const declared = headers['content-length'];
  if (declared !== undefined) {
    const length = Number(declared);
    return rest.length < length ? null : { ...none, body: rest.subarray(0, length), length };
  }
  if (rule === 'by-headers') return none;
  return isEnded ? { ...none, body: rest, length: rest.length } : null;
}

function readChunked(rest: Buffer): FoundBody | null {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(rest.toString('latin1', at, lineEnd), 16);
    const dataAt = lineEnd + 2;
    if (size === 0) return readTrailers(rest, dataAt, Buffer.concat(pieces));
    if (rest.length < dataAt + size + 2) return null;
    pieces.push(rest.subarray(dataAt, dataAt + size));
    at = dataAt + size + 2;
  }
}

function readTrailers(rest: Buffer, from: number, body: Buffer): FoundBody | null {
  if (rest.toString('latin1', from, from + 2) === '\r\n') return { body, trailers: {}, length: from + 2 };
  const end = rest.indexOf('\r\n\r\n', from);
  if (end < 0) return null;
  return { body, trailers: parseLines(rest.toString('latin1', from, end).split('\r\n')), length: end + 4 };
}
