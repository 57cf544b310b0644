// One connection as its owner sees it: bytes in, bytes out in one write per event-loop turn, back-pressure, half-close, end.
// NET/IO layer: every stage above works with this and never with a socket.

import type { Socket } from 'node:net';
import { ByteWriter } from '@weft/lib/bytes';
import { reportDefect } from './defect.ts';
import { switchToSharedRead } from './shared-read.ts';
import { DirectWrite, type Writer } from './socket-write.ts';

/** Who drives a connection. Chunks are borrowed: valid during the call only. */
export interface ConnectionOwner {
  onBytes(buffer: Buffer, offset: number, length: number): void;
  /** The peer finished sending (TCP FIN, TLS close_notify). */
  onFin(): void;
  /** It is over; nothing follows. `error` is null after an orderly close. */
  onClose(error: Error | null): void;
  /** Output that had piled up went out: whoever was paused because of `isCongested` may go on. */
  onDrain(): void;
}

/** Who counts connections; hears only of the end, whoever owns the connection by then. */
export interface ConnectionWatcher {
  onConnectionOver(endedByPeer: boolean): void;
}

/** Output that is handed to the kernel at once instead of at the end of the turn, so that no arena grows without bound. */
const flushAtBytes = 64 * 1024;
/** Output of one connection that waits for a slow peer; from here on it is congested. */
const congestedAtBytes = 64 * 1024;
/** What an arena starts with: room for a head and a small body. Longer ones grow it, and it stays as large as it became ... */
const arenaBytes = 4 * 1024;
/** ... unless it is larger than a full flush and the chunk that filled it. */
const keptArenaBytes = 160 * 1024;
/** Memory of the arenas that wait for their next use, process-wide; beyond that they are left to the collector. */
const keptBytesMax = 4 * 1024 * 1024;

/** Connections with dear reads that go on in one turn: a hundred of them would make it a long one for all others. */
const resumedPerTurn = 8;

const freeArenas: ByteWriter[] = [];
let keptBytes = 0;
let dirty: Connection[] = [];
let flushing: Connection[] = [];
const yielding: Connection[] = [];

function takeArena(): ByteWriter {
  const arena = freeArenas.pop();
  if (arena === undefined) return new ByteWriter(arenaBytes);
  keptBytes -= arena.capacity;
  return arena;
}

function giveArena(arena: ByteWriter): void {
  const { capacity } = arena;
  if (capacity > keptArenaBytes || keptBytes + capacity > keptBytesMax) return;
  keptBytes += capacity;
  arena.reset();
  freeArenas.push(arena);
}

function flushDirty(): void {
  const batch = dirty;
  dirty = flushing;
  flushing = batch;
  for (let i = 0; i < batch.length; i++) (batch[i] as Connection).flush();
  batch.length = 0;
}

function resumeYielding(): void {
  for (const connection of yielding.splice(0, resumedPerTurn)) connection.readOn();
  if (yielding.length > 0) setImmediate(resumeYielding);
}

const closedOwner: ConnectionOwner = { onBytes() {}, onFin() {}, onClose() {}, onDrain() {} };

/** Wraps a connected (or connecting) `net.Socket` or `tls.TLSSocket`. Exactly one owner at a time. */
export class Connection implements Writer {
  readonly socket: Socket;
  owner: ConnectionOwner;
  watcher: ConnectionWatcher | null = null;
  /** The peer reads slower than we write: stop producing until `onDrain`. */
  isCongested = false;
  isClosed = false;
  private isPaused = false;
  private isDirty = false;
  /** Which side was the first to end it. */
  private endedBy: 'nobody' | 'us' | 'peer' = 'nobody';
  /** What is to go out next. */
  private output: ByteWriter | null = null;
  /** What the kernel, or TLS, has not taken all of yet: one write at a time. */
  private sending: ByteWriter | null = null;
  private direct: DirectWrite | null = null;
  /** What happens once all is sent. */
  private atEnd: 'stay' | 'end' | 'close' = 'stay';
  private error: Error | null = null;
  private ownAddress: string | null = null;
  bytesRead = 0;
  bytesWritten = 0;

  constructor(socket: Socket, owner: ConnectionOwner = closedOwner) {
    this.socket = socket;
    this.owner = owner;
    socket.on('end', () => {
      this.noteEnd('peer');
      this.owner.onFin();
    });
    socket.on('error', (error) => {
      this.noteEnd('peer');
      this.error = error;
    });
    socket.on('close', () => this.onSocketClose());
  }

  private noteEnd(side: 'us' | 'peer'): void {
    if (this.endedBy === 'nobody') this.endedBy = side;
  }

  /** Our own end, `ip:port`; asked of the kernel once. */
  get localAddress(): string {
    this.ownAddress ??= `${this.socket.localAddress ?? ''}:${this.socket.localPort ?? 0}`;
    return this.ownAddress;
  }

  /** Starts delivering what arrives; sockets made with `onread` call `deliver` themselves. */
  listenForData(): void {
    const { socket } = this;
    const deliver = (buffer: Buffer, offset: number, length: number): void => this.deliver(buffer, offset, length);
    if (!switchToSharedRead(socket, deliver)) {
      // What was read before and put back comes first; once that is through, the rest can go the short way.
      const onData = (chunk: Buffer): void => {
        deliver(chunk, 0, chunk.length);
        if (!this.isClosed && switchToSharedRead(socket, deliver)) socket.off('data', onData);
      };
      socket.on('data', onData);
    }
    if (!this.isPaused) socket.resume();
  }

  deliver(buffer: Buffer, offset: number, length: number): void {
    this.bytesRead += length;
    try {
      this.owner.onBytes(buffer, offset, length);
    } catch (error) {
      this.destroy();
      reportDefect(error);
    }
  }

  /**
   * Lets others have their turn before the next read: for an owner that found the last one dear. Node reads up to 2 MiB of one
   * socket before it looks at the next.
   */
  yieldTurn(): void {
    if (this.isPaused || this.isClosed) return;
    this.socket.pause();
    if (yielding.push(this) === 1) setImmediate(resumeYielding);
  }

  /** Others had their turn. */
  readOn(): void {
    if (!this.isPaused && !this.isClosed) this.socket.resume();
  }

  /**
   * The arena of this turn, to append to; it goes out as one write when the turn ends, or sooner when it is full. Ask again for each
   * message or frame. Bytes appended after the end or the close go nowhere.
   */
  get out(): ByteWriter {
    if (this.output !== null && this.output.length >= flushAtBytes) this.flush();
    // What waits for the write before it goes on growing.
    if (this.output !== null) return this.output;
    const arena = takeArena();
    this.output = arena;
    this.schedule();
    return arena;
  }

  /** Copies a chunk out. */
  write(buffer: Buffer, offset: number, length: number): void {
    const arena = this.out;
    arena.append(buffer, offset, length);
    if (arena.length >= flushAtBytes) this.flush();
  }

  private schedule(): void {
    if (this.isDirty) return;
    this.isDirty = true;
    if (dirty.push(this) === 1) setImmediate(flushDirty);
  }

  /** Hands everything appended so far to the kernel, or to what is still on its way there. */
  flush(): void {
    this.isDirty = false;
    if (this.sending === null && this.output !== null) this.send();
    if (this.sending !== null) this.noteCongestion();
    else if (this.atEnd !== 'stay') this.carryOutEnd();
  }

  private send(): void {
    const arena = this.output as ByteWriter;
    const { length } = arena;
    const { socket } = this;
    this.output = null;
    if (length === 0 || this.isClosed || socket.destroyed) {
      giveArena(arena);
      return;
    }
    this.bytesWritten += length;
    this.sending = arena;
    this.direct ??= DirectWrite.to(socket);
    if (this.direct === null) {
      socket.write(arena.view(), (error) => this.onWritten(error ?? null));
      return;
    }
    const result = this.direct.write(arena.view(), this);
    if (result === 'pending') return;
    this.sending = null;
    giveArena(arena);
    if (result !== 'taken') socket.destroy(result);
  }

  private noteCongestion(): void {
    const waiting = (this.sending?.length ?? 0) + (this.output?.length ?? 0);
    if (waiting >= congestedAtBytes) this.isCongested = true;
  }

  /** What was on its way is through. */
  onWritten(error: Error | null): void {
    const { sending } = this;
    this.sending = null;
    if (sending !== null) giveArena(sending);
    if (this.isClosed) return;
    if (error !== null) {
      this.socket.destroy(error);
      return;
    }
    this.flush();
    if (this.sending !== null || !this.isCongested) return;
    this.isCongested = false;
    this.owner.onDrain();
  }

  private carryOutEnd(): void {
    if (this.isClosed) return;
    const { socket } = this;
    // Where both sides have ended, the close says it: one call of the kernel less. Over TLS the peer is to be told.
    if (socket.readableEnded && socket.writableLength === 0 && !('encrypted' in socket)) socket.destroy();
    else if (this.atEnd === 'end') socket.end();
    else socket.destroySoon();
  }

  private onSocketClose(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isCongested = false;
    if (this.output !== null) giveArena(this.output);
    this.output = null;
    const { owner, watcher } = this;
    this.owner = closedOwner;
    this.watcher = null;
    owner.onClose(this.error);
    watcher?.onConnectionOver(this.endedBy !== 'us');
  }

  /** Stops reading; at most what the kernel already handed over still arrives. */
  pause(): void {
    if (this.isPaused || this.isClosed) return;
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.isPaused || this.isClosed) return;
    this.isPaused = false;
    this.socket.resume();
  }

  get paused(): boolean {
    return this.isPaused;
  }

  /** Sends what is pending, then FIN. Reading goes on until the peer ends too. */
  end(): void {
    if (this.atEnd !== 'stay' || this.isClosed) return;
    this.atEnd = 'end';
    this.noteEnd('us');
    this.schedule();
  }

  /** Something has not been handed to the kernel yet. */
  get hasUnsent(): boolean {
    return (this.sending?.length ?? 0) + (this.output?.length ?? 0) + this.socket.writableLength > 0;
  }

  get ended(): boolean {
    return this.atEnd !== 'stay';
  }

  /** Sends what is pending, then closes; nothing more is read. Nobody need listen. */
  finish(): void {
    if (this.isClosed) return;
    this.noteEnd('us');
    this.atEnd = 'close';
    this.flush();
  }

  /** Ends it now, pending output included. The owner hears `onClose` unless it let go before. */
  destroy(): void {
    if (this.isClosed) return;
    this.noteEnd('us');
    this.socket.destroy();
  }

  /** Ends it now with a TCP reset, so that the peer does not take what it got for complete. */
  reset(): void {
    if (this.isClosed) return;
    this.noteEnd('us');
    const { socket } = this;
    // libuv refuses to reset a socket whose FIN is under way, and Node would leave it open for ever.
    const isEndUnderWay = socket.writableEnded && !socket.writableFinished;
    if (typeof socket.resetAndDestroy !== 'function' || 'encrypted' in socket || isEndUnderWay) socket.destroy();
    else resetOrDestroy(socket);
  }

  /** Nobody listens any more: events are dropped until there is a new owner. */
  release(): void {
    this.owner = closedOwner;
  }
}

function resetOrDestroy(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    // A Unix socket knows no reset, and Node throws; nothing of the socket says beforehand which it is.
    socket.destroy();
  }
}
