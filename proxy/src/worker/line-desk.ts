// Writes the lines of all workers, through one writer per file, so that none interleave and a rotated file is let go of once.

import type { Log } from '@weft/lib/log';
import type { AccessLogSinks } from '../telemetry/access-log-sinks.ts';

export class LineDesk {
  private readonly sinks: AccessLogSinks;
  private readonly log: Log;

  constructor(sinks: AccessLogSinks, log: Log) {
    this.sinks = sinks;
    this.log = log;
  }

  /** Writes whole lines; resolves when they are out, with false when they were dropped. An empty path is the log itself. */
  async write(path: string, text: string): Promise<boolean> {
    if (path === '') return this.log.passOn(text);
    // The main thread has compiled the same configuration, so it mostly has the file open.
    const writer = this.sinks.acquire(path);
    try {
      const before = writer.droppedLines;
      if (!writer.write(text)) return false;
      await writer.flush();
      return writer.droppedLines === before;
    } finally {
      this.sinks.release(path);
    }
  }
}
