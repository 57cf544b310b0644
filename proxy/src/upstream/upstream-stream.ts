// The seam between a router's attempt and whatever carries it: an HTTP/1 connection, an HTTP/2 stream, raw TCP for a tunnel.

import type { Headers } from '@weft/lib/header';
import type { Fault } from '../fault/fault.ts';
import type { StreamProtocol } from '../stream/stream.ts';

/** What the attempt sends on. Chunks are borrowed: copied before the call returns. */
export interface UpstreamStream {
  /** The endpoint reads slower than we write: pause the source until `onUpstreamDrain`. */
  readonly isCongested: boolean;
  readonly localAddress: string;
  sendData(buffer: Buffer, offset: number, length: number, endStream: boolean): void;
  sendTrailers(trailers: Headers): void;
  /** Gives up the attempt: nothing more is delivered, the connection is reused only when both messages were complete. */
  abandon(): void;
  /** Stops and restarts the flow of response bytes. */
  pauseResponse(): void;
  resumeResponse(): void;
}

/** What the attempt hears. After `onUpstreamFailed`, or the end of the response, nothing follows. */
export interface UpstreamEvents {
  /** The head went out on this stream; body may follow. */
  onUpstreamReady(stream: UpstreamStream): void;
  onInformational(status: number, headers: Headers): void;
  onResponseHead(status: number, headers: Headers, endStream: boolean): void;
  onResponseData(buffer: Buffer, offset: number, length: number, endStream: boolean): void;
  onResponseTrailers(trailers: Headers): void;
  onUpstreamFailed(fault: Fault, details: string): void;
  onUpstreamDrain(): void;
}

/** The head of a request as the upstream side writes it. */
export interface UpstreamHead {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly requestHeaders: Headers;
  /** Upgrade token (`websocket`) or `CONNECT`: the bytes after an accepted head belong to another protocol. */
  readonly upgrade: string | null;
  /** What the client speaks: an upgrade may have to be put into the words of another protocol. */
  readonly protocol: StreamProtocol;
}

/** One host's connections. */
export interface UpstreamPool {
  /** Sends the head on a free connection or a new one, at once or later; the answer comes through `events`. */
  start(head: UpstreamHead, endStream: boolean, events: UpstreamEvents): void;
  /** Forgets a start that has not become ready. */
  cancel(events: UpstreamEvents): void;
  /** The host is gone: idle connections close now, busy ones after their exchange. */
  drain(): void;
  readonly connections: number;
}
