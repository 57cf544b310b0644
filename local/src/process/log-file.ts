// Logs of child processes: they write to the file themselves, and it is cut when it grows too large, keeping one older part.
import { closeSync, openSync, readSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '@weft/lib/disk/make-folder';

const limitBytes = 8 * 1024 * 1024;
const checkEveryMs = 2000;

/** Opens a log for appending; the child's writes then survive a cut, as appending always goes to the end. */
export function openLog(path: string): number {
  makeFolder(dirname(path), 0o700);
  return openSync(path, 'a', 0o600);
}

export { closeSync as closeLog };

/** With its older part. */
export function removeLog(path: string): void {
  for (const part of [path, `${path}.1`]) rmSync(part, { force: true });
}

/** Keeps a set of logs below a size: looked at every 2 s, and cut when it is over the limit, with as much of its end kept beside it. */
export class LogKeeper {
  private readonly paths = new Set<string>();
  private readonly limit: number;
  private timer: NodeJS.Timeout | null = null;

  constructor(limit = limitBytes) {
    this.limit = limit;
  }

  watch(path: string): void {
    this.paths.add(path);
    this.timer ??= setInterval(() => this.check(), checkEveryMs).unref();
  }

  forget(path: string): void {
    this.paths.delete(path);
  }

  /** Cuts every log that is over the limit. A line written between copy and cut is lost, which is the price of no copying in between. */
  check(): void {
    for (const path of this.paths) {
      try {
        const { size } = statSync(path);
        if (size <= this.limit) continue;
        keepEnd(path, size, this.limit);
        truncateSync(path, 0);
      } catch {
        // Removed by someone: there may be another in the next round.
      }
    }
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}

/** The last bytes of a log go into its older part. */
function keepEnd(path: string, size: number, limit: number): void {
  const older = `${path}.1`;
  try {
    rmSync(older, { force: true });
    writeFileSync(older, readEnd(path, size, limit), { mode: 0o600 });
  } catch {
    // No room for an older part. The log is cut all the same: otherwise it would fill the disk for good.
  }
}

function readEnd(path: string, size: number, limit: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(limit);
    return bytes.subarray(0, readSync(file, bytes, 0, limit, size - limit));
  } finally {
    closeSync(file);
  }
}
