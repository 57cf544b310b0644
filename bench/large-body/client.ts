// The client of the bench, a process of its own: `node client.ts PORT http1|http2 up|down BYTES` sends or takes one body and prints seconds.

import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import { drain, pour } from './backend.ts';

const windowBytes = 16 * 1024 * 1024;

interface Transfer {
  readonly port: number;
  readonly isUp: boolean;
  readonly bytes: number;
}

/** What the other side says that it got, or gave. */
async function overHttp1({ port, isUp, bytes }: Transfer): Promise<number> {
  const method = isUp ? 'PUT' : 'GET';
  const headers = isUp ? { 'content-length': bytes } : {};
  const request = httpRequest({ host: '127.0.0.1', port, method, path: `/api/${bytes}`, headers, agent: false });
  if (isUp) pour(request, bytes);
  else request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return isUp ? readNumber(response) : drain(response);
}

async function overHttp2({ port, isUp, bytes }: Transfer): Promise<number> {
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: windowBytes } });
  await once(session, 'connect');
  session.setLocalWindowSize(windowBytes);
  const stream = session.request({ ':method': isUp ? 'PUT' : 'GET', ':path': `/api/${bytes}` }, { endStream: !isUp });
  if (isUp) pour(stream, bytes);
  await once(stream, 'response');
  const got = isUp ? await readNumber(stream) : await drain(stream);
  session.close();
  return got;
}

async function readNumber(source: AsyncIterable<Buffer>): Promise<number> {
  let text = '';
  for await (const part of source) text += part.toString();
  return Number(text);
}

async function main(): Promise<void> {
  const [port, version, direction, bytes] = process.argv.slice(2);
  const transfer = { port: Number(port), isUp: direction === 'up', bytes: Number(bytes) };
  const startMs = performance.now();
  const got = await (version === 'http1' ? overHttp1(transfer) : overHttp2(transfer));
  if (got !== transfer.bytes) throw new Error(`${got} of ${transfer.bytes} bytes came`);
  console.log((performance.now() - startMs) / 1000);
}

await main();
