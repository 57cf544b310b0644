// Where access logs go. One writer per file however many listeners name it; a file that was rotated away is opened anew.

import type { Clock, Timer } from '@weft/lib/clock';
import { type LineTarget, LineWriter } from '@weft/lib/line-writer';

/** Where the lines for a path go; by default to the file itself. */
export type OpenTarget = (path: string) => LineTarget;

const rotationCheckMs = 5000;
const fileLimitBytes = 4 * 1024 * 1024;

interface Sink {
  readonly writer: LineWriter;
  users: number;
}

/** The sinks of a process. */
export class AccessLogSinks {
  private readonly clock: Clock;
  private readonly openTarget: OpenTarget;
  private readonly sinks: Map<string, Sink> = new Map();
  private timer: Timer | null = null;
  private closedDropped = 0;
  private closedWritten = 0;

  constructor(clock: Clock, openTarget: OpenTarget = targetOf) {
    this.clock = clock;
    this.openTarget = openTarget;
  }

  /** A writer for `/dev/stdout`, `/dev/stderr` or a file; give it back with `release`. Throws where the file cannot be opened. */
  acquire(path: string): LineWriter {
    const existing = this.sinks.get(path);
    if (existing !== undefined) {
      existing.users++;
      return existing.writer;
    }
    const writer = new LineWriter({
      target: this.openTarget(path),
      clock: this.clock,
      limitBytes: fileLimitBytes,
      batchMs: 100,
    });
    this.sinks.set(path, { writer, users: 1 });
    this.timer ??= this.clock.start(rotationCheckMs, onCheckDue, this);
    return writer;
  }

  /** Closes the writer when its last user gave it back; what waits is written. */
  release(path: string): void {
    const sink = this.sinks.get(path);
    if (sink === undefined) return;
    sink.users--;
    if (sink.users > 0) return;
    this.sinks.delete(path);
    void sink.writer.close().then(() => {
      this.closedDropped += sink.writer.droppedLines;
      this.closedWritten += sink.writer.writtenLines;
    });
  }

  /** Opens every file anew (SIGUSR1). */
  reopen(): void {
    for (const sink of this.sinks.values()) sink.writer.reopen();
  }

  /** Resolves when everything logged so far is written. */
  async flush(): Promise<void> {
    await Promise.all([...this.sinks.values()].map((sink) => sink.writer.flush()));
  }

  /** Writes what waits and closes everything. */
  async close(): Promise<void> {
    this.timer?.stop();
    const writers = [...this.sinks.values()].map((sink) => sink.writer);
    this.sinks.clear();
    await Promise.all(writers.map((writer) => writer.close()));
  }

  /** Lines lost since the start: a bound was reached or a file did not take them. */
  get droppedLines(): number {
    let total = this.closedDropped;
    for (const sink of this.sinks.values()) total += sink.writer.droppedLines;
    return total;
  }

  get writtenLines(): number {
    let total = this.closedWritten;
    for (const sink of this.sinks.values()) total += sink.writer.writtenLines;
    return total;
  }

  /** Called by the timer. */
  onCheckDue(): void {
    this.timer = this.sinks.size === 0 ? null : this.clock.start(rotationCheckMs, onCheckDue, this);
    for (const sink of this.sinks.values()) if (sink.writer.isRotated()) sink.writer.reopen();
  }
}

function onCheckDue(sinks: AccessLogSinks): void {
  sinks.onCheckDue();
}

// The descriptor, not the device file: a redirected output is shared with the log, not truncated or opened twice.
function targetOf(path: string): LineTarget {
  if (path === '/dev/stdout') return { fd: 1 };
  if (path === '/dev/stderr') return { fd: 2 };
  return { path };
}
