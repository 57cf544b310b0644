// One streaming call on a connection of its own: HTTP/2 by node:http2, gRPC framed by hand. Any failure ends the call with a status.
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '@weft/lib/clock';
import { messageOf } from '@weft/lib/error';
import { FrameReader, frameMessage } from './frame.ts';
import { type GrpcStatus, grpcInternal, grpcOk, grpcUnavailable, statusOf, statusOfHead } from './status.ts';

export interface GrpcCallOptions {
  readonly clock: Clock;
  /** Opens the transport, plain or TLS (with ALPN `h2`); it may still be connecting. */
  readonly connect: () => Socket;
  /** `:authority`. */
  readonly authority: string;
  readonly isTls: boolean;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** Further request headers, lower-case names. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly connectTimeoutMs: number;
  /** A message announced to be longer ends the call. */
  readonly messageLimitBytes: number;
  /** A PING is sent this often; 0 for never. */
  readonly pingIntervalMs: number;
  /** The connection is given up when a PING is not answered in this time. */
  readonly pingTimeoutMs: number;
}

/** How it ended: the server said in good order that it goes away, it finds that PINGs come too often, or anything else. */
export type EndManner = 'asked' | 'too-many-pings' | 'failed';

export interface GrpcCallEvents {
  /** The connection stands and requests have gone out. */
  onOpen(): void;
  /** A whole message; its memory belongs to the receiver. */
  onMessage(message: Buffer): void;
  /** Called once, whatever happens. */
  onEnd(status: GrpcStatus, manner: EndManner): void;
}

// A server that does not read must not make us queue without bound; requests are small and few.
const sendLimitBytes = 16 * 1024 * 1024;
const receiveWindowBytes = 4 * 1024 * 1024;

/** A call in both directions. Made open; ends once. */
export class GrpcCall {
  private readonly options: GrpcCallOptions;
  private readonly events: GrpcCallEvents;
  private readonly frames: FrameReader;
  private session: ClientHttp2Session | null = null;
  private stream: ClientHttp2Stream | null = null;
  private connectTimer: Timer | null = null;
  private pingTimer: Timer | null = null;
  private pingDeadline: Timer | null = null;
  private isEnded = false;
  private manner: EndManner = 'failed';

  constructor(options: GrpcCallOptions, events: GrpcCallEvents) {
    this.options = options;
    this.events = events;
    this.frames = new FrameReader(options.messageLimitBytes);
    // The events of a call never come before its constructor has returned.
    setImmediate(() => this.open());
  }

  /** Requests can be sent. */
  get isOpen(): boolean {
    return !this.isEnded && this.stream !== null;
  }

  /** Sends one message. */
  send(message: Uint8Array): void {
    const { stream } = this;
    if (this.isEnded || stream === null || stream.destroyed) return;
    stream.write(frameMessage(message));
    if (stream.writableLength > sendLimitBytes) this.fail('the server does not read what is sent to it');
  }

  /** Ends the call without an event. */
  close(): void {
    if (!this.isEnded) this.release();
  }

  private open(): void {
    if (this.isEnded) return;
    const { isTls, connectTimeoutMs, clock } = this.options;
    try {
      const socket = this.options.connect();
      // What fails is told by the session; an error that nobody listens for would end the process.
      socket.on('error', () => {});
      // Each request says its own authority, which is the name of a cluster and need not be a host's.
      const session = connect(`${isTls ? 'https' : 'http'}://localhost`, {
        createConnection: () => socket,
        settings: { enablePush: false, initialWindowSize: receiveWindowBytes },
      });
      this.session = session;
      session.on('error', (error) => this.fail(messageOf(error)));
      session.on('close', () => this.fail('the connection was closed'));
      session.on('goaway', (code) => this.onGoaway(code));
      session.on('connect', () => this.onConnect(session));
    } catch (thrown) {
      this.fail(messageOf(thrown));
      return;
    }
    this.connectTimer = clock.start(connectTimeoutMs, onConnectTimeout, this);
  }

  private onConnect(session: ClientHttp2Session): void {
    // The connection may have failed in this very turn: its error event, still to come, ends the call.
    if (this.isEnded || session.destroyed) return;
    this.connectTimer?.stop();
    session.setLocalWindowSize(receiveWindowBytes);
    const stream = session.request(
      {
        ...this.options.metadata,
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_PATH]: this.options.path,
        [constants.HTTP2_HEADER_AUTHORITY]: this.options.authority,
        [constants.HTTP2_HEADER_SCHEME]: this.options.isTls ? 'https' : 'http',
        'content-type': 'application/grpc',
        'grpc-accept-encoding': 'identity',
        te: 'trailers',
        'user-agent': 'weft',
      },
      { endStream: false },
    );
    this.stream = stream;
    stream.on('response', (headers) => this.onHead(statusOf(headers) ?? statusOfHead(headers)));
    stream.on('trailers', (headers) => this.onHead(statusOf(headers)));
    stream.on('data', (chunk: Buffer) => this.onData(chunk));
    stream.on('error', (error) => this.fail(messageOf(error)));
    stream.on('end', () =>
      this.fail(this.frames.isPartial ? 'the stream ended inside a message' : 'the stream ended without a status'),
    );
    stream.on('close', () => this.fail('the stream was closed'));
    this.schedulePing();
    this.events.onOpen();
  }

  /** A status, whether in the head (trailers only) or in the trailers, is the end. */
  private onHead(status: GrpcStatus | null): void {
    if (status !== null) this.end(status);
  }

  private onData(chunk: Buffer): void {
    if (this.isEnded) return;
    const problem = this.frames.push(chunk, (message) => {
      if (!this.isEnded) this.events.onMessage(message);
    });
    if (problem === null) return;
    const text =
      problem === 'compressed'
        ? 'the server sent a compressed message, which was not offered'
        : `the server announced a message of more than ${this.options.messageLimitBytes} bytes`;
    this.end({ code: grpcInternal, message: text });
  }

  private onGoaway(code: number): void {
    if (code === constants.NGHTTP2_NO_ERROR) this.manner = 'asked';
    // gRPC servers say so with ENHANCE_YOUR_CALM and the text "too_many_pings".
    else if (code === constants.NGHTTP2_ENHANCE_YOUR_CALM) this.manner = 'too-many-pings';
    this.fail(
      this.manner === 'asked' ? 'the server goes away' : `the server ended the connection (HTTP/2 error ${code})`,
    );
  }

  private schedulePing(): void {
    if (this.options.pingIntervalMs > 0 && !this.isEnded) {
      this.pingTimer = this.options.clock.start(this.options.pingIntervalMs, sendPing, this);
    }
  }

  /** Called by the timer. */
  ping(): void {
    const { session } = this;
    if (this.isEnded || session === null || session.destroyed) return;
    this.pingDeadline = this.options.clock.start(this.options.pingTimeoutMs, onPingTimeout, this);
    session.ping(() => {
      this.pingDeadline?.stop();
      this.schedulePing();
    });
  }

  /** Ends the call as unavailable; called by timers too. */
  fail(message: string): void {
    this.end({ code: grpcUnavailable, message });
  }

  private end(status: GrpcStatus): void {
    if (this.isEnded) return;
    this.release();
    this.events.onEnd(status, status.code === grpcOk ? 'asked' : this.manner);
  }

  private release(): void {
    this.isEnded = true;
    this.connectTimer?.stop();
    this.pingTimer?.stop();
    this.pingDeadline?.stop();
    this.stream?.close(constants.NGHTTP2_CANCEL);
    this.session?.destroy();
  }
}

function onConnectTimeout(call: GrpcCall): void {
  call.fail('no connection was made in time');
}

function sendPing(call: GrpcCall): void {
  call.ping();
}

function onPingTimeout(call: GrpcCall): void {
  call.fail('the server does not answer PING');
}
