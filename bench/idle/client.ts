// Opens connections that ask once and then keep still.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { framesOf } from '@weft/proxy/protocol/http2/testing/frame-script';

export type IdleKind = 'http1' | 'http2' | 'tls' | 'tls-http2';

export const idleKinds: readonly IdleKind[] = ['http1', 'http2', 'tls', 'tls-http2'];

const http1Request = Buffer.from('GET / HTTP/1.1\r\nhost: bench\r\nuser-agent: idle\r\naccept: */*\r\n\r\n');
const http2Request = framesOf('preface\nsettings\nheaders 1 end |get');
/** So many are opened at a time: more would only fill the backlog. */
const batch = 100;
/** Further addresses of the loopback, where one has not ports enough. */
const perAddress = 20_000;

function open(kind: IdleKind, port: number, n: number): Promise<Socket> {
  const target = { host: '127.0.0.1', port, localAddress: `127.0.0.${1 + Math.floor(n / perAddress)}` };
  const isHttp2 = kind.endsWith('http2');
  const isTls = kind.startsWith('tls');
  const socket = isTls
    ? connectTls({ ...target, rejectUnauthorized: false, ALPNProtocols: [isHttp2 ? 'h2' : 'http/1.1'] })
    : connect(target);
  socket.on('error', (error) => {
    console.error(`connection ${n}: ${error.message}`);
    process.exit(1);
  });
  return once(socket, isTls ? 'secureConnect' : 'connect').then(async () => {
    socket.write(isHttp2 ? http2Request : http1Request);
    await once(socket, 'data');
    socket.resume();
    return socket;
  });
}

/** That many connections, each answered once. */
export async function openIdle(kind: IdleKind, port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let n = 0; n < count; n += batch) {
    const size = Math.min(batch, count - n);
    sockets.push(...(await Promise.all(Array.from({ length: size }, (_, i) => open(kind, port, n + i)))));
  }
  return sockets;
}
