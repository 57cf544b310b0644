// Tells HTTP/2 with prior knowledge from HTTP/1 by the first bytes of a connection (RFC 9113 §3.3).

import { latin1Text } from '@weft/lib/bytes';
import type { Timer } from '@weft/lib/clock';
import type { Placed } from '@weft/lib/placed-set';
import type { Connection, ConnectionOwner } from '../../io/connection.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import type { HttpConnectionManager } from './http-connection-manager.ts';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Owns a connection until enough has come to tell: nearly always its first read. */
export class CodecDetection implements ConnectionOwner, Placed {
  place = -1;
  readonly info: ConnectionInfo;
  private manager: HttpConnectionManager;
  private readonly connection: Connection;
  private seen: Buffer | null = null;
  private timer: Timer | null = null;

  constructor(manager: HttpConnectionManager, connection: Connection, info: ConnectionInfo) {
    this.manager = manager;
    this.connection = connection;
    this.info = info;
    connection.owner = this;
    this.waitFor(this.isShortLived ? manager.maxConnectionDurationMs : manager.idleTimeoutMs);
  }

  /** It may not even last for as long as it may be idle. */
  private get isShortLived(): boolean {
    const { idleTimeoutMs, maxConnectionDurationMs } = this.manager;
    return maxConnectionDurationMs > 0 && (idleTimeoutMs === 0 || maxConnectionDurationMs < idleTimeoutMs);
  }

  // Silence is what an idle connection may have; whoever has begun must go on.
  private waitFor(waitMs: number): void {
    this.stop();
    if (waitMs > 0) this.timer = this.manager.clock.start(waitMs, onSilence, this as CodecDetection);
  }

  onBytes(buffer: Buffer, offset: number, length: number): void {
    const { seen } = this;
    const bytes = seen === null ? buffer : Buffer.concat([seen, buffer.subarray(offset, offset + length)]);
    const start = seen === null ? offset : 0;
    const size = seen === null ? length : bytes.length;
    const compared = Math.min(size, preface.length);
    const isPrefix = preface.compare(bytes, start, start + compared, 0, compared) === 0;
    if (isPrefix && size < preface.length) {
      if (seen === null) this.waitFor(this.manager.headersTimeoutMs);
      this.seen = Buffer.from(bytes.subarray(start, start + size));
      return;
    }
    this.end();
    const { manager, connection, info } = this;
    if (!isPrefix && isNoHttp(bytes, start, size)) {
      // An answer in HTTP/1 would make no sense to whoever speaks something else.
      manager.counters.protocolError.inc();
      connection.destroy();
      return;
    }
    const owner = isPrefix ? manager.serveHttp2(connection, info) : manager.serveHttp1(connection, info);
    owner.onBytes(bytes, start, size);
  }

  private stop(): void {
    this.timer?.stop();
    this.timer = null;
  }

  private end(): void {
    this.stop();
    this.manager.onDetectionOver(this);
  }

  onFin(): void {
    this.stop();
    this.connection.finish();
  }

  onClose(): void {
    this.end();
  }

  onDrain(): void {}

  /** Another configuration holds for what is yet to come. */
  moveTo(manager: HttpConnectionManager): void {
    this.manager = manager;
  }

  /** Nothing came in the time that the connection has. */
  onSilent(): void {
    if (this.seen === null && this.isShortLived) this.manager.counters.maxDurationReached.inc();
    this.connection.destroy();
  }

  destroy(): void {
    this.connection.destroy();
  }
}

// Lines longer than this are left to HTTP/1, which has limits of its own.
const lineMax = 256;
const knownMethods = /^(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH)\b/i;

// Three words as in a request line, the last of which is no version of HTTP.
const otherProtocol = /^[^ ]+ [^ ]+ (?!HTTP\/)[^ ]+\r?\n/;

/** A whole first line that is neither a request nor a mistake of somebody who writes one. */
function isNoHttp(bytes: Buffer, start: number, size: number): boolean {
  const line = latin1Text(bytes, start, start + Math.min(size, lineMax));
  return otherProtocol.test(line) && !knownMethods.test(line);
}

function onSilence(detection: CodecDetection): void {
  detection.onSilent();
}
