import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { until, waitFor, within } from '../../../test/kit/until.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import { DirectWrite } from './socket-write.ts';

const mebibyte = 1024 * 1024;

/** Keeps what a peer sent, once told to read. */
class Reader {
  readonly socket: Socket;
  readonly chunks: Buffer[] = [];
  length = 0;
  hasEnd = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('end', () => {
      this.hasEnd = true;
    });
    socket.on('error', () => {});
  }

  read(): void {
    this.socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.length += chunk.length;
    });
    this.socket.resume();
  }
}

/** Notes what its connection tells it. */
class Owner implements ConnectionOwner {
  drains = 0;
  isOver = false;
  error: Error | null = null;
  onBytes(): void {}
  onFin(): void {}
  onDrain(): void {
    this.drains++;
  }
  onClose(error: Error | null): void {
    this.isOver = true;
    this.error = error;
  }
}

interface Ends {
  readonly connection: Connection;
  readonly owner: Owner;
  readonly peer: Reader;
}

/** Opens a connection; the first socket is the one to write to, the second one reads only when told to. */
type Open = (context: TestContext) => Promise<[Socket, Socket]>;

async function listen(context: TestContext, server: Server): Promise<number> {
  context.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

const openTcp: Open = async (context) => {
  const server = createServer({ allowHalfOpen: true });
  const accepted = waitFor(server, 'connection');
  const peer = connect({ port: await listen(context, server), allowHalfOpen: true });
  return [(await accepted)[0] as Socket, peer];
};

const certificate = makeSampleCertificate();

const openTls: Open = async (context) => {
  const server = createTlsServer({ cert: certificate.pem, key: certificate.keyPem, allowHalfOpen: true });
  const accepted = waitFor(server, 'secureConnection');
  const socket = connect({ port: await listen(context, server), allowHalfOpen: true });
  const peer = connectTls({ socket, rejectUnauthorized: false });
  peer.once('close', () => socket.destroy());
  return [(await accepted)[0] as Socket, peer];
};

async function wrap(context: TestContext, open: Open): Promise<Ends> {
  const [socket, peer] = await open(context);
  context.after(() => {
    socket.destroy();
    peer.destroy();
  });
  const owner = new Owner();
  const connection = new Connection(socket, owner);
  connection.listenForData();
  return { connection, owner, peer: new Reader(peer) };
}

/** Bytes that tell where they belong. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i + 4 <= length; i += 4) bytes.writeUInt32BE(i, i);
  return bytes;
}

/** Writes until the connection asks to stop, then on when it says so, as those above it do; the amount that was written first. */
function pump({ connection, owner }: Ends, bytes: Buffer): number {
  let at = 0;
  const go = (): void => {
    while (at < bytes.length && !connection.isCongested) {
      const length = Math.min(10_000, bytes.length - at);
      connection.write(bytes, at, length);
      at += length;
    }
  };
  owner.onDrain = () => {
    owner.drains++;
    go();
  };
  go();
  return at;
}

for (const [kind, open] of [
  ['TCP', openTcp],
  ['TLS', openTls],
] as const) {
  describe(`what is written over ${kind}`, () => {
    it('goes past the stream', async (context) => {
      const ends = await wrap(context, open);
      assert.notEqual(DirectWrite.to(ends.connection.socket), null);
      ends.peer.read();
      ends.connection.write(Buffer.from('hello'), 0, 5);
      await until('it is there', () => ends.peer.length === 5);
      assert.equal(ends.connection.bytesWritten, 5);
    });

    it('arrives in order, whatever was on its way', async (context) => {
      const ends = await wrap(context, open);
      // More than the kernel takes at once from anybody, so that it has to wait.
      const bytes = pattern(32 * mebibyte);
      pump(ends, bytes);
      ends.peer.read();
      await until('all is there', () => ends.peer.length === bytes.length);
      assert.ok(Buffer.concat(ends.peer.chunks).equals(bytes));
      assert.ok(ends.owner.drains > 0);
      assert.equal(ends.connection.isCongested, false);
    });

    it('stops at a peer that does not read', async (context) => {
      const ends = await wrap(context, open);
      const bytes = pattern(32 * mebibyte);
      pump(ends, bytes);
      let before = -1;
      // What both kernels hold is all that may go.
      await until('nothing moves any more', () => {
        const now = ends.connection.bytesWritten;
        const isStill = ends.connection.isCongested && now === before;
        before = now;
        return isStill;
      });
      assert.ok(ends.connection.bytesWritten < bytes.length);
      assert.ok(ends.connection.isCongested);
    });

    it('is all sent before the end', async (context) => {
      const ends = await wrap(context, open);
      const bytes = pattern(mebibyte);
      ends.connection.write(bytes, 0, bytes.length);
      ends.connection.end();
      ends.peer.read();
      await until('the end is there', () => ends.peer.hasEnd);
      assert.ok(Buffer.concat(ends.peer.chunks).equals(bytes));
      assert.equal(ends.owner.isOver, false);
      ends.peer.socket.end();
      await until('both have ended', () => ends.owner.isOver);
      assert.equal(ends.owner.error, null);
    });

    it('is all sent before the close', async (context) => {
      const ends = await wrap(context, open);
      const bytes = pattern(mebibyte);
      ends.connection.write(bytes, 0, bytes.length);
      ends.connection.finish();
      ends.peer.read();
      await until('it is closed', () => ends.owner.isOver);
      await until('the end is there', () => ends.peer.hasEnd);
      assert.ok(Buffer.concat(ends.peer.chunks).equals(bytes));
    });

    it('is lost with its reason when the peer is gone', async (context) => {
      const ends = await wrap(context, open);
      pump(ends, pattern(32 * mebibyte));
      // Bytes that it has not read make it a reset.
      ends.peer.socket.destroy();
      await until('it is closed', () => ends.owner.isOver);
      assert.match(ends.owner.error?.message ?? '', /ECONNRESET|EPIPE/);
    });

    it('ends with a connection that is destroyed under it', async (context) => {
      const ends = await wrap(context, open);
      pump(ends, pattern(32 * mebibyte));
      ends.connection.destroy();
      await until('it is closed', () => ends.owner.isOver);
      assert.equal(ends.owner.error, null);
      ends.connection.write(Buffer.from('too late'), 0, 8);
      ends.connection.flush();
    });
  });
}

describe('what is written to a socket that is connecting', () => {
  it('goes through the stream, and what follows comes behind it', async (context) => {
    const server = createServer({ allowHalfOpen: true });
    const accepted = waitFor(server, 'connection');
    const socket = connect({ port: await listen(context, server), allowHalfOpen: true });
    context.after(() => socket.destroy());
    const connection = new Connection(socket);
    assert.equal(DirectWrite.to(socket), null);
    connection.write(Buffer.from('first '), 0, 6);
    connection.flush();
    connection.write(Buffer.from('second '), 0, 7);
    connection.flush();
    const [theirs] = (await accepted) as [Socket];
    context.after(() => theirs.destroy());
    const peer = new Reader(theirs);
    peer.read();
    await until('both are there', () => peer.length === 13);
    assert.notEqual(DirectWrite.to(socket), null);
    connection.write(Buffer.from('third'), 0, 5);
    await until('all are there', () => peer.length === 18);
    assert.equal(Buffer.concat(peer.chunks).toString(), 'first second third');
  });

  it('is lost when nobody is there', async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    await within('the end of the server', once(server.close(), 'close'));
    const owner = new Owner();
    const connection = new Connection(connect({ port, host: '127.0.0.1' }), owner);
    connection.write(Buffer.from('anybody?'), 0, 8);
    await until('it is over', () => owner.isOver);
    assert.match(owner.error?.message ?? '', /ECONNREFUSED/);
  });
});
