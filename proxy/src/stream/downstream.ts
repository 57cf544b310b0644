// What an exchange needs of the connection it came on; implemented once per protocol by the connection manager.

import type { Headers } from '@weft/lib/header';
import type { Connection } from '../io/connection.ts';
import type { ConnectionInfo } from '../io/connection-info.ts';
import type { Exchange } from './exchange.ts';

export interface Downstream {
  readonly info: ConnectionInfo;
  /** The client reads slower than we write. */
  readonly isCongested: boolean;
  /** The client waits for `100 Continue`: the body is wanted now. */
  wantBody(): void;
  sendInformational(status: number, headers: Headers): void;
  /** Writes `exchange.status` and `exchange.responseHeaders`. */
  sendHead(exchange: Exchange, endStream: boolean): void;
  sendData(buffer: Buffer, offset: number, length: number, endStream: boolean): void;
  sendTrailers(trailers: Headers): void;
  /** The response cannot be completed: make sure the client does not take it for complete. */
  cut(exchange: Exchange): void;
  pauseRequest(): void;
  resumeRequest(): void;
  /** The exchange is over, in whatever way. */
  onExchangeComplete(exchange: Exchange): void;
  /**
   * Answers a CONNECT with 200 and hands the bare connection, with what was already read behind the head, to `take`.
   * False when the protocol cannot (an HTTP/2 stream).
   */
  handOver(exchange: Exchange, take: (connection: Connection, rest: Buffer) => void): boolean;
}
