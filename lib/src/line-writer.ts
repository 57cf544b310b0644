// Writes text lines to a file descriptor without ever waiting for it: lines gather for a moment, go out in batches from a worker
// thread of Node's, and are dropped and counted once more than a bound is waiting. What is left goes out when the process ends.

import { closeSync, fstatSync, openSync, statSync, write, writeSync } from 'node:fs';
import type { Clock, Timer } from './clock.ts';
import { codeOf } from './error.ts';

/** Takes a batch of whole lines and says what became of it: how many bytes, or why none. */
export type BatchSend = (batch: Buffer, done: (error: Error | null, written: number) => void) => void;

/** Where a writer writes: an open descriptor it does not own, a path it opens for appending and may reopen, or someone who writes for it. */
export type LineTarget = { readonly fd: number } | { readonly path: string } | { readonly send: BatchSend };

export interface LineWriterOptions {
  readonly target: LineTarget;
  readonly clock: Clock;
  /** Lines beyond this many waiting bytes are dropped and counted. */
  readonly limitBytes?: number;
  /** How long a line may gather company before it is written. */
  readonly batchMs?: number;
}

const batchBytes = 64 * 1024;
const retryMs = 20;
/** A write that has been out for longer than this is to a reader that has stopped: the end of the process does not wait for it. */
const stalledMs = 1000;

/** A bounded, asynchronous, batching writer of lines. */
export class LineWriter {
  /** Lines given up because the bound was reached or the target refused them. */
  droppedLines = 0;
  writtenLines = 0;
  private readonly clock: Clock;
  private readonly path: string | null;
  private readonly sendBatch: BatchSend;
  private readonly isLocal: boolean;
  private readonly limitBytes: number;
  private readonly batchMs: number;
  private fd: number;
  private pending: string[] = [];
  private pendingBytes = 0;
  private current: Buffer | null = null;
  private currentLines = 0;
  private startedMs = 0;
  private timer: Timer | null = null;
  private waiters: (() => void)[] = [];
  private reopenWanted = false;
  private isClosed = false;

  /** Throws where the path cannot be opened. */
  constructor(options: LineWriterOptions) {
    this.clock = options.clock;
    this.limitBytes = options.limitBytes ?? 1024 * 1024;
    this.batchMs = options.batchMs ?? 10;
    const { target } = options;
    this.path = 'path' in target ? target.path : null;
    this.fd = 'path' in target ? openForAppend(target.path) : 'fd' in target ? target.fd : -1;
    this.isLocal = !('send' in target);
    this.sendBatch =
      'send' in target
        ? target.send
        : (batch, done) => {
            write(this.fd, batch, 0, batch.length, null, done);
          };
    openWriters.add(this);
    hookExit();
  }

  /** Takes a line without its line feed. False when it was dropped. */
  write(line: string): boolean {
    if (this.isClosed || this.pendingBytes + line.length > this.limitBytes) {
      this.droppedLines++;
      return false;
    }
    this.pending.push(line);
    this.pendingBytes += line.length + 1;
    if (this.current !== null) return true;
    if (this.pendingBytes >= batchBytes) this.pump();
    else this.timer ??= this.clock.start(this.batchMs, onBatchDue, this);
    return true;
  }

  /** Resolves when everything taken so far has been written or given up. */
  flush(): Promise<void> {
    if (this.current === null) this.pump();
    if (this.current === null) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Opens the path anew, so that a renamed (rotated) file is let go of; takes effect between two batches. */
  reopen(): void {
    if (this.path === null || this.isClosed) return;
    this.reopenWanted = true;
    if (this.current === null) this.reopenNow();
  }

  /** Whether the path now names another file than the one written to: it was rotated away. */
  isRotated(): boolean {
    if (this.path === null || this.isClosed) return false;
    try {
      return statSync(this.path).ino !== fstatSync(this.fd).ino;
    } catch {
      return true;
    }
  }

  /** Writes what waits, then lets the descriptor go if it is the writer's own. Later lines are dropped. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.flush();
    openWriters.delete(this);
    if (this.path !== null) closeSync(this.fd);
  }

  /** Writes what waits at once, for the end of the process only. A target that does not take it loses it. */
  flushSync(): void {
    if (!this.isLocal) return;
    if (this.current !== null && this.clock.now() - this.startedMs > stalledMs) return;
    const text = this.takePending(Number.POSITIVE_INFINITY);
    if (text === null) return;
    writeAllSync(this.fd, text);
  }

  /** Called by the timer. */
  onBatchDue(): void {
    this.timer = null;
    if (this.current === null) this.pump();
  }

  private pump(): void {
    this.timer?.stop();
    this.timer = null;
    if (this.reopenWanted) this.reopenNow();
    const batch = this.takePending(batchBytes);
    if (batch === null) {
      this.settle();
      return;
    }
    this.startedMs = this.clock.now();
    this.send(batch);
  }

  private takePending(maxBytes: number): Buffer | null {
    if (this.pending.length === 0) return null;
    let count = 0;
    let bytes = 0;
    while (count < this.pending.length && (count === 0 || bytes < maxBytes)) {
      bytes += (this.pending[count] as string).length + 1;
      count++;
    }
    const lines = count === this.pending.length ? this.pending : this.pending.slice(0, count);
    this.pending = count === this.pending.length ? [] : this.pending.slice(count);
    this.pendingBytes -= bytes;
    this.currentLines = count;
    return Buffer.from(`${lines.join('\n')}\n`);
  }

  private send(batch: Buffer): void {
    this.current = batch;
    this.sendBatch(batch, (error, written) => this.onWritten(error, written));
  }

  private onWritten(error: Error | null, written: number): void {
    const batch = this.current;
    if (batch === null) return;
    if (error !== null && codeOf(error) === 'EAGAIN') {
      // A full non-blocking pipe. New lines meet the bound meanwhile.
      this.clock.start(retryMs, onRetryDue, this);
      return;
    }
    if (error === null && written < batch.length) {
      this.send(batch.subarray(written));
      return;
    }
    if (error === null) this.writtenLines += this.currentLines;
    else this.droppedLines += this.currentLines;
    this.current = null;
    this.pump();
  }

  /** Called by the timer. */
  onRetryDue(): void {
    if (this.current !== null) this.send(this.current);
  }

  private settle(): void {
    const waiters = this.waiters;
    if (waiters.length === 0) return;
    this.waiters = [];
    for (const resolve of waiters) resolve();
  }

  private reopenNow(): void {
    this.reopenWanted = false;
    if (this.path === null) return;
    try {
      const fresh = openForAppend(this.path);
      closeSync(this.fd);
      this.fd = fresh;
    } catch {
      // The old file keeps taking lines: a log in the wrong place is better than none.
    }
  }
}

function onBatchDue(writer: LineWriter): void {
  writer.onBatchDue();
}

function onRetryDue(writer: LineWriter): void {
  writer.onRetryDue();
}

// Access logs name users and paths: readable by the owner's group at most.
function openForAppend(path: string): number {
  return openSync(path, 'a', 0o640);
}

function writeAllSync(fd: number, bytes: Buffer): void {
  for (let offset = 0, refusals = 0; offset < bytes.length && refusals < 50; ) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') return;
      refusals++;
    }
  }
}

const openWriters: Set<LineWriter> = new Set();
let isHooked = false;

function hookExit(): void {
  if (isHooked) return;
  isHooked = true;
  process.on('exit', () => {
    for (const writer of openWriters) writer.flushSync();
  });
}
