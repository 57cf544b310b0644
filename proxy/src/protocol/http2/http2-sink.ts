// What an HTTP/2 connection tells its user.

import type { HeaderBlock } from '@weft/lib/header';
import type { Http2Error } from './error.ts';
import type { H2RequestHead } from './message.ts';
import type { Http2Stream } from './stream.ts';
import type { Http2Tally } from './tally.ts';

/** Hears what the peer does. Chunks are borrowed. After `onReset` or the end of both directions a stream is forgotten. */
export interface Http2Sink {
  readonly tally?: Http2Tally;
  /** What was written waits, since the peer reads slowly. */
  readonly isCongested?: boolean;
  onRequest?(stream: Http2Stream, head: H2RequestHead, endStream: boolean): void;
  onResponse?(stream: Http2Stream, status: number, block: HeaderBlock, endStream: boolean): void;
  onInformational?(stream: Http2Stream, status: number, block: HeaderBlock): void;
  onData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, endStream: boolean): void;
  onTrailers(stream: Http2Stream, block: HeaderBlock): void;
  /** `cause` is what this side found wrong, or null when the peer has reset the stream. */
  onReset(stream: Http2Stream, code: number, cause: Http2Error | null): void;
  /** `sendData` took less than it was given; now it takes more. */
  onWritable(stream: Http2Stream): void;
  onGoAway(lastId: number, code: number): void;
  onSettings?(): void;
  /** Our PING came back. */
  onPong?(): void;
  /** GOAWAY with the error was written; nothing more is read. */
  onConnectionError(error: Http2Error): void;
}
