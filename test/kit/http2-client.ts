// An HTTP/2 client without TLS that waits for whole responses.

import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import type { TestContext } from 'node:test';
import { within } from './until.ts';

export interface Http2Response {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Interim responses, in order. */
  readonly interim: readonly IncomingHttpHeaders[];
}

export interface Http2RequestParts {
  readonly body?: Buffer | string;
  readonly trailers?: OutgoingHttpHeaders;
}

/** A session; it ends with the test. */
export function openHttp2(context: Pick<TestContext, 'after'>, port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  context.after(() => session.destroy());
  return session;
}

/** Sends a request and collects its response; fails when the stream is reset. */
export function fetchHttp2(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  parts: Http2RequestParts = {},
): Promise<Http2Response> {
  const { body, trailers } = parts;
  const endStream = body === undefined && trailers === undefined;
  const stream = session.request(headers, { endStream, waitForTrailers: trailers !== undefined });
  if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  if (!endStream) stream.end(body);
  return within(
    `the response to ${String(headers[':path'])}`,
    new Promise((resolve, reject) => {
      const interim: IncomingHttpHeaders[] = [];
      const chunks: Buffer[] = [];
      let head: IncomingHttpHeaders = {};
      let tail: IncomingHttpHeaders = {};
      stream.on('headers', (more: IncomingHttpHeaders) => interim.push(more));
      stream.on('response', (response: IncomingHttpHeaders) => {
        head = response;
      });
      stream.on('trailers', (found: IncomingHttpHeaders) => {
        tail = found;
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.on('end', () => {
        const status = Number(head[':status'] ?? 0);
        if (status === 0) return;
        resolve({ status, headers: head, trailers: tail, body: Buffer.concat(chunks), interim });
      });
      stream.on('close', () => reject(new Error(`the stream closed with code ${stream.rstCode}`)));
    }),
  );
}
