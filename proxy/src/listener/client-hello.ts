// Reads the server name and the ALPN list out of the first bytes of a connection, if they are a TLS ClientHello (RFC 8446 §4.1.2).

/** `more`: not enough bytes yet. `other`: not TLS. */
export type HelloResult = ClientHello | 'more' | 'other';

export interface ClientHello {
  /** Lower case; empty when the client sent none. */
  readonly serverName: string;
  readonly alpn: readonly string[];
}

const RECORD_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;
/** As Envoy: a ClientHello larger than this is not waited for. */
export const maxHelloBytes = 16 * 1024;

/** Never throws; whatever is malformed is `other` and left to TLS itself to refuse. */
export function readClientHello(bytes: Buffer): HelloResult {
  if (bytes.length === 0) return 'more';
  if (bytes[0] !== RECORD_HANDSHAKE) return 'other';
  if (bytes.length > 1 && bytes[1] !== 3) return 'other';
  const { handshake, isOver } = joinRecords(bytes);
  const unfinished = isOver ? 'other' : 'more';
  if (handshake.length < 4) return unfinished;
  if (handshake[0] !== CLIENT_HELLO) return 'other';
  const length = handshake.readUIntBE(1, 3);
  if (length > maxHelloBytes) return 'other';
  if (handshake.length < 4 + length) return unfinished;
  return readBody(handshake.subarray(4, 4 + length));
}

interface Joined {
  readonly handshake: Buffer;
  /** A record of another type came, which may not stand within a message (RFC 8446 §5.1). */
  readonly isOver: boolean;
}

// A ClientHello may be spread over several records, and early data may stand behind it (RFC 8446 §2.3).
function joinRecords(bytes: Buffer): Joined {
  const parts: Buffer[] = [];
  let at = 0;
  let isOver = false;
  while (at + 5 <= bytes.length && !isOver) {
    isOver = bytes[at] !== RECORD_HANDSHAKE;
    const length = bytes.readUInt16BE(at + 3);
    if (!isOver) parts.push(bytes.subarray(at + 5, Math.min(bytes.length, at + 5 + length)));
    at += 5 + length;
  }
  return { handshake: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts), isOver };
}

/** Reads forward; a read past the end marks it broken and gives zeros. */
class Cursor {
  private readonly bytes: Buffer;
  at = 0;
  isBroken = false;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  uint(size: number): number {
    if (this.left < size) {
      this.isBroken = true;
      return 0;
    }
    const value = this.bytes.readUIntBE(this.at, size);
    this.at += size;
    return value;
  }

  take(length: number): Buffer {
    if (this.left < length) {
      this.isBroken = true;
      return this.bytes.subarray(0, 0);
    }
    const part = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return part;
  }
}

function readBody(body: Buffer): HelloResult {
  const cursor = new Cursor(body);
  cursor.take(34); // legacy_version, random
  cursor.take(cursor.uint(1)); // legacy_session_id
  cursor.take(cursor.uint(2)); // cipher_suites
  cursor.take(cursor.uint(1)); // legacy_compression_methods
  let serverName = '';
  let alpn: string[] = [];
  if (cursor.left > 0) {
    const extensions = new Cursor(cursor.take(cursor.uint(2)));
    while (extensions.left > 0 && !extensions.isBroken) {
      const type = extensions.uint(2);
      const data = extensions.take(extensions.uint(2));
      if (type === EXTENSION_SERVER_NAME) serverName = readServerName(data);
      if (type === EXTENSION_ALPN) alpn = readAlpn(data);
    }
    if (extensions.isBroken) return 'other';
  }
  return cursor.isBroken ? 'other' : { serverName, alpn };
}

// RFC 6066 §3: a list of names, of which only type 0 (host_name) exists.
function readServerName(data: Buffer): string {
  const cursor = new Cursor(data);
  cursor.uint(2);
  while (cursor.left > 0 && !cursor.isBroken) {
    const type = cursor.uint(1);
    const name = cursor.take(cursor.uint(2));
    if (type === 0 && !cursor.isBroken) return name.toString('latin1').toLowerCase();
  }
  return '';
}

// RFC 7301 §3.1
function readAlpn(data: Buffer): string[] {
  const cursor = new Cursor(data);
  cursor.uint(2);
  const protocols: string[] = [];
  while (cursor.left > 0) {
    const protocol = cursor.take(cursor.uint(1));
    if (cursor.isBroken) break;
    protocols.push(protocol.toString('latin1'));
  }
  return protocols;
}
