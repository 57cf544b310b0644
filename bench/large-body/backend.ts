// The backend of the bench, a process of its own: `node backend.ts PORT http1|http2`. GET /api/BYTES gives that many bytes, PUT takes any.

import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import type { Readable, Writable } from 'node:stream';

const chunk = Buffer.alloc(256 * 1024, 'x');
/** So large that the window of the backend is never what is waited for. */
const windowBytes = 16 * 1024 * 1024;

/** Writes so many bytes as fast as they are taken. */
export function pour(target: Writable, bytes: number): void {
  let left = bytes;
  const more = (): void => {
    // The end goes with the last part: ended by itself, a stream of Node's server may be reset in place of its END_STREAM.
    for (; left > chunk.length; left -= chunk.length) {
      if (target.write(chunk)) continue;
      left -= chunk.length;
      target.once('drain', more);
      return;
    }
    target.end(chunk.subarray(0, left));
  };
  more();
}

/** Resolves with how many bytes came. */
export function drain(source: Readable): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    source.on('data', (part: Buffer) => {
      bytes += part.length;
    });
    source.on('end', () => resolve(bytes));
    source.on('error', reject);
  });
}

function sizeIn(path: string | undefined): number {
  return Number(/(\d+)$/.exec(path ?? '')?.[1] ?? 0);
}

function onHttp1(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === 'GET') {
    const bytes = sizeIn(request.url);
    response.writeHead(200, { 'content-length': bytes });
    pour(response, bytes);
    return;
  }
  drain(request).then(
    (bytes) => response.end(String(bytes)),
    () => response.destroy(),
  );
}

function onHttp2(stream: ServerHttp2Stream, headers: { readonly ':method'?: string; readonly ':path'?: string }): void {
  stream.on('error', () => {});
  if (headers[':method'] === 'GET') {
    stream.respond({ ':status': 200 });
    pour(stream, sizeIn(headers[':path']));
    return;
  }
  drain(stream).then(
    (bytes) => {
      stream.respond({ ':status': 200 });
      stream.end(String(bytes));
    },
    () => stream.destroy(),
  );
}

function main(port: number, version: string): void {
  if (version === 'http1') {
    createHttpServer({ highWaterMark: chunk.length }, onHttp1).listen(port, '127.0.0.1');
    return;
  }
  const server = createHttp2Server({ settings: { initialWindowSize: windowBytes } });
  server.on('session', (session) => session.setLocalWindowSize(windowBytes));
  server.on('stream', onHttp2);
  server.listen(port, '127.0.0.1');
}

if (import.meta.main) main(Number(process.argv[2]), process.argv[3] ?? 'http1');
