// A server made of the codec and `node:net` alone: answers each request by 200 and its own body. For conformance suites.

import { createServer, type Server } from 'node:net';
import { ByteWriter } from '@weft/lib/bytes';
import { Headers } from '@weft/lib/header';
import { Http2Connection, type Http2Sink, type Http2Stream } from '../connection.ts';
import type { H2RequestHead } from '../message.ts';
import { defaultLimits, defaultSettings } from '../settings.ts';

const body = Buffer.from('hello, world\n');

class Answers implements Http2Sink {
  connection: Http2Connection | null = null;

  onRequest(stream: Http2Stream, _head: H2RequestHead, endStream: boolean): void {
    if (endStream) this.answer(stream);
  }

  onData(stream: Http2Stream, _buffer: Buffer, _offset: number, length: number, endStream: boolean): void {
    this.connection?.consume(stream, length);
    if (endStream) this.answer(stream);
  }

  onTrailers(stream: Http2Stream): void {
    this.answer(stream);
  }

  private answer(stream: Http2Stream): void {
    const headers = Headers.of('content-length', String(body.length), 'content-type', 'text/plain');
    this.connection?.sendResponseHead(stream, 200, headers, false);
    stream.user = this.connection?.sendData(stream, body, 0, body.length, true) ?? 0;
  }

  onWritable(stream: Http2Stream): void {
    const at = typeof stream.user === 'number' ? stream.user : 0;
    stream.user = at + (this.connection?.sendData(stream, body, at, body.length - at, true) ?? 0);
  }

  onReset(): void {}
  onGoAway(): void {}
  onConnectionError(): void {}
}

/** Not listening yet. */
export function tinyServer(): Server {
  return createServer((socket) => {
    const out = new ByteWriter();
    const answers = new Answers();
    const connection = new Http2Connection('server', defaultSettings, defaultLimits, answers, () => out);
    answers.connection = connection;
    const flush = () => {
      if (out.length > 0) socket.write(out.take());
      if (connection.error !== null) socket.end();
    };
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      connection.decode(chunk, 0, chunk.length);
      flush();
    });
    connection.start();
    flush();
  });
}
