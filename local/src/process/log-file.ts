// Logs of child processes: they write to the file themselves, and it is cut when it grows too large, keeping one older part.
import { closeSync, copyFileSync, openSync, statSync, truncateSync } from 'node:fs';
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

/** Keeps a set of logs below a size, at most twice the limit each with the older part. */
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

  /** Cuts every log that is over the limit. A line written between copy and cut is lost, which is the price of no copying in between. */
  check(): void {
    for (const path of this.paths) {
      try {
        if (statSync(path).size <= this.limit) continue;
        copyFileSync(path, `${path}.1`);
        truncateSync(path, 0);
      } catch {
        // Removed by someone, or the disk is full: the next round tries again.
      }
    }
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}
