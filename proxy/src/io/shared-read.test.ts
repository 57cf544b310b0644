import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Connection, type ConnectionOwner } from './connection.ts';
import { switchToSharedRead } from './shared-read.ts';

/** Both ends of a connection; the first is the accepted one. */
async function pair(context: TestContext): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  context.after(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return [accepted, client];
}

/** Collects what its connection delivers, and the memory that each chunk came in. */
class Collector implements ConnectionOwner {
  text = '';
  readonly memory: Set<ArrayBufferLike> = new Set();
  readonly ended: Promise<void>;
  private onEnded: () => void = () => {};
  private waiting: { length: number; resolve: () => void } | null = null;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.onEnded = resolve;
    });
  }

  onBytes(buffer: Buffer, offset: number, length: number): void {
    this.text += buffer.toString('latin1', offset, offset + length);
    this.memory.add(buffer.buffer);
    if (this.waiting !== null && this.text.length >= this.waiting.length) this.waiting.resolve();
  }

  received(length: number): Promise<void> {
    return new Promise((resolve) => {
      this.waiting = { length, resolve };
      if (this.text.length >= length) resolve();
    });
  }

  onFin(): void {
    this.onEnded();
  }

  onClose(): void {}
  onDrain(): void {}
}

function listen(socket: Socket): { connection: Connection; collector: Collector } {
  const collector = new Collector();
  const connection = new Connection(socket, collector);
  connection.listenForData();
  return { connection, collector };
}

describe('a socket that was accepted', () => {
  it('delivers all chunks of all connections in one piece of memory', async (context) => {
    const [first, firstPeer] = await pair(context);
    const [second, secondPeer] = await pair(context);
    const one = listen(first).collector;
    const other = listen(second).collector;
    firstPeer.write('to the first');
    secondPeer.write('to the second');
    await Promise.all([one.received(12), other.received(13)]);
    assert.equal(one.text, 'to the first');
    assert.equal(other.text, 'to the second');
    assert.deepEqual(one.memory, other.memory);
    assert.equal(one.memory.size, 1);
  });

  it('tells the end of what the peer sends, after the last byte', async (context) => {
    const [accepted, peer] = await pair(context);
    const { collector } = listen(accepted);
    peer.end('last words');
    await collector.ended;
    assert.equal(collector.text, 'last words');
  });

  it('delivers first what was read before and put back, then goes over to the shared memory', async (context) => {
    const [accepted, peer] = await pair(context);
    peer.write('looked at; ');
    const [looked] = (await once(accepted, 'data')) as [Buffer];
    accepted.pause();
    accepted.unshift(looked);
    assert.equal(
      switchToSharedRead(accepted, () => assert.fail('not while bytes wait')),
      false,
    );
    const { collector } = listen(accepted);
    await collector.received(11);
    peer.write('and on');
    await collector.received(17);
    assert.equal(collector.text, 'looked at; and on');
    const [other, otherPeer] = await pair(context);
    const shared = listen(other).collector;
    otherPeer.write('x');
    await shared.received(1);
    assert.ok(shared.memory.isSubsetOf(collector.memory), 'the second chunk came in the shared memory');
  });

  it('stops while it is paused', async (context) => {
    const [accepted, peer] = await pair(context);
    const { connection, collector } = listen(accepted);
    connection.pause();
    // More than both kernel buffers hold: the peer can send all of it only when somebody reads.
    const bytes = 16 * 1024 * 1024;
    const sent = new Promise<void>((resolve) => peer.write(Buffer.alloc(bytes, 'y'), () => resolve()));
    assert.equal(collector.text, '');
    connection.resume();
    await sent;
    await collector.received(bytes);
    assert.equal(collector.text.length, bytes);
  });
});
