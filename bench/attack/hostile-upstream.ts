// Endpoints that attack the proxy that calls them. Takes the name of an attack and a port.

import { createServer, type Socket } from 'node:net';
import { framesOf } from '@weft/proxy/protocol/http2/testing/frame-script';
import { repeated } from './scenario/scenario.ts';

type Attack = (socket: Socket) => void;

/** Sends without end, as fast as it is read. */
function pour(socket: Socket, bytes: Buffer): void {
  const go = (): void => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on('drain', go);
  go();
}

/** Sends a little at a time, for ever. */
function trickle(socket: Socket, bytes: Buffer, everyMs = 100): void {
  const timer = setInterval(() => socket.write(bytes), everyMs);
  socket.on('close', () => clearInterval(timer));
}

/** With each request, or rather each time bytes come. */
function onRequest(answer: (socket: Socket) => void): Attack {
  return (socket) => {
    socket.on('data', () => answer(socket));
  };
}

function text(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1');
}

const begin = framesOf('settings');

/** HTTP/2: SETTINGS first, then `answer` for each HEADERS frame, told its stream. */
function onStream(answer: (socket: Socket, id: number) => void): Attack {
  return (socket) => {
    socket.write(begin);
    socket.on('data', (chunk: Buffer) => {
      for (let at = chunk.subarray(0, 3).equals(text('PRI')) ? 24 : 0; at + 9 <= chunk.length; ) {
        if (chunk[at + 3] === 1) answer(socket, chunk.readUInt32BE(at + 5));
        at += 9 + chunk.readUIntBE(at, 3);
      }
    });
  };
}

const head = 'HTTP/1.1 200 OK\r\n';
const ok = '|ok';

export const hostileUpstreams: Readonly<Record<string, Attack>> = {
  'endless 1xx': onRequest((socket) => pour(socket, repeated(text('HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n')))),
  'endless headers': onRequest((socket) => {
    socket.write(head);
    pour(socket, repeated(text('a: b\r\n')));
  }),
  'endless header': onRequest((socket) => {
    socket.write(`${head}a: `);
    pour(socket, Buffer.alloc(65_536, 'x'));
  }),
  'tiny chunks': onRequest((socket) => {
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
    pour(socket, repeated(text('1\r\nx\r\n')));
  }),
  'endless extensions': onRequest((socket) => {
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
    pour(socket, repeated(text('1;a=b\r\nx\r\n')));
  }),
  'trickled body': onRequest((socket) => {
    socket.write(`${head}content-length: 100000\r\n\r\n`);
    trickle(socket, text('x'));
  }),
  'response before request': (socket) => pour(socket, text(`${head}content-length: 5\r\n\r\nhello`)),
  'reset on everything': onRequest((socket) => socket.resetAndDestroy()),
  'more than asked for': onRequest((socket) => {
    socket.write(`${head}content-length: 5\r\n\r\nhello`);
    pour(socket, repeated(text(`${head}content-length: 5\r\n\r\nhello`)));
  }),
  'h2 GOAWAY at once': (socket) => {
    socket.end(Buffer.concat([begin, framesOf('goaway 0 0')]));
  },
  'h2 no streams': (socket) => {
    socket.write(framesOf('settings 3=0'));
  },
  'h2 SETTINGS': (socket) => pour(socket, repeated(framesOf('settings 4=70000'))),
  'h2 PING': (socket) => pour(socket, Buffer.concat([begin, repeated(framesOf('ping'))])),
  'h2 endless 1xx': onStream((socket, id) => pour(socket, repeated(framesOf(`headers ${id} |:status: 103`)))),
  'h2 CONTINUATION': onStream((socket, id) => {
    socket.write(framesOf(`headers ${id} open ${ok}`));
    pour(socket, repeated(framesOf(`continuation ${id} open |a: b`)));
  }),
  'h2 window shut': (socket) => {
    socket.write(framesOf('settings 4=0'));
  },
  'h2 RST on everything': onStream((socket, id) => socket.write(framesOf(`reset ${id} 2`))),
  'h2 refuses everything': onStream((socket, id) => socket.write(framesOf(`reset ${id} 7`))),
  'h2 DATA without end': onStream((socket, id) => {
    socket.write(framesOf(`headers ${id} ${ok}`));
    pour(socket, repeated(framesOf(`data ${id} size=16384`), 1_000_000));
  }),
  'h2 DATA of one byte': onStream((socket, id) => {
    socket.write(framesOf(`headers ${id} ${ok}`));
    pour(socket, repeated(framesOf(`data ${id} |x`)));
  }),
  'h2 empty DATA': onStream((socket, id) => {
    socket.write(framesOf(`headers ${id} ${ok}`));
    pour(socket, repeated(framesOf(`data ${id}`)));
  }),
  'h2 PUSH_PROMISE': onStream((socket, id) => socket.write(framesOf(`frame 5 4 ${id} 00000002`))),
  'h2 table thrash': onStream((socket, id) => {
    const fields = Array.from({ length: 60 }, (_, i) => {
      const name = Buffer.from(`x${String.fromCharCode(97 + (i % 26))}`).toString('hex');
      return `4002${name}64${Buffer.alloc(100, 97 + (i % 26)).toString('hex')}`;
    });
    socket.write(framesOf(`headers ${id} end hex=88${fields.join('')}`));
  }),
  'h2 trickled body': onStream((socket, id) => {
    socket.write(framesOf(`headers ${id} ${ok}`));
    trickle(socket, framesOf(`data ${id} |x`));
  }),
};

function serve(name: string, port: number): void {
  const attack = hostileUpstreams[name];
  if (attack === undefined) throw new Error(`no such attack: ${name}`);
  createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    attack(socket);
  }).listen(port, '127.0.0.1');
}

if (import.meta.main) serve(process.argv[2] ?? '', Number(process.argv[3]));
