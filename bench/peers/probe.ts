// Checks, before anything is measured, that a proxy does the work that is asked of it.

import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { request as requestHttps } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { acceptsTls, bodyBytes, loadPath, speaksHttp2, type Task } from './bench-case.ts';
import { serverName } from './certificate.ts';

const timeoutMs = 5000;

interface Answer {
  readonly status: number;
  readonly length: number;
  readonly trailer: string;
  readonly tls: string;
}

function expect(condition: boolean, complaint: string): void {
  if (!condition) throw new Error(complaint);
}

function get(port: number, path: string, tls: { ca: Buffer } | null): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, agent: false as const, timeout: timeoutMs };
    const onResponse = (response: IncomingMessage) => {
      let length = 0;
      const socket = response.socket as Partial<TLSSocket>;
      const version = socket.getProtocol?.() ?? '';
      response.on('data', (chunk: Buffer) => (length += chunk.length));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, length, trailer: '', tls: version }));
    };
    const call =
      tls === null
        ? requestHttp(options, onResponse)
        : requestHttps({ ...options, ...tls, servername: serverName }, onResponse);
    call.on('timeout', () => call.destroy(new Error(`no answer on ${path} within ${timeoutMs} ms`)));
    call.on('error', reject);
    call.end();
  });
}

function getHttp2(port: number, path: string, isGrpc: boolean): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', reject);
    const grpcHeaders = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
    const call = session.request({ ':path': path, ...(isGrpc ? grpcHeaders : {}) });
    let status = 0;
    let length = 0;
    let trailer = '';
    call.setTimeout(timeoutMs, () => call.destroy(new Error(`no answer on ${path} within ${timeoutMs} ms`)));
    call.on('response', (headers: IncomingHttpHeaders) => {
      status = Number(headers[':status']);
      // A reply the proxy makes itself may carry the gRPC status in its head.
      trailer = String(headers['grpc-status'] ?? '');
    });
    call.on('trailers', (headers: IncomingHttpHeaders) => (trailer = String(headers['grpc-status'] ?? '')));
    call.on('data', (chunk: Buffer) => (length += chunk.length));
    call.on('error', reject);
    call.on('end', () => {
      session.close();
      resolve({ status, length, trailer, tls: '' });
    });
    call.end(isGrpc ? Buffer.from([0, 0, 0, 0, 1, 0]) : undefined);
  });
}

/** Throws what is missing. Returns remarks for the report, such as the negotiated TLS version. */
export async function probe(task: Task): Promise<string[]> {
  if (speaksHttp2(task.name)) return probeHttp2(task);
  const tls = acceptsTls(task) ? { ca: readFileSync(task.authority) } : null;
  const forwarded = await get(task.listenPort, loadPath, tls);
  expect(forwarded.status === 200 && forwarded.length === bodyBytes, `${loadPath} gave ${JSON.stringify(forwarded)}`);
  if (task.name === 'tcp') return [];
  const elsewhere = await get(task.listenPort, '/elsewhere', tls);
  expect(elsewhere.status === 404, `/elsewhere gave ${elsewhere.status}, not 404`);
  return forwarded.tls === '' ? [] : [forwarded.tls];
}

async function probeHttp2(task: Task): Promise<string[]> {
  const isGrpc = task.name === 'grpc';
  const forwarded = await getHttp2(task.listenPort, loadPath, isGrpc);
  const isWhole = forwarded.status === 200 && forwarded.length === bodyBytes;
  expect(isWhole && (!isGrpc || forwarded.trailer === '0'), `${loadPath} gave ${JSON.stringify(forwarded)}`);
  const elsewhere = await getHttp2(task.listenPort, '/elsewhere', false);
  expect(elsewhere.status === 404, `/elsewhere gave ${elsewhere.status}, not 404`);
  return [];
}

/** Throws when the mutual-TLS port serves a client that shows no certificate. */
export async function probeRefusal(task: Task): Promise<void> {
  const served = await get(task.listenPort, loadPath, { ca: readFileSync(task.authority) }).then(
    ({ status }) => status,
    () => 0,
  );
  // nginx finishes the handshake and answers 400.
  expect(served === 0 || served === 400, `a client without certificate got ${served}`);
}
