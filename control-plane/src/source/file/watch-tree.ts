// Tells that something below a directory may have changed. What changed is for the caller to look up.

import { type FSWatcher, watch } from 'node:fs';
import { basename } from 'node:path';

/** Calls `onChange` whenever something may have changed in the directories it watches. */
export class TreeWatch {
  private readonly watchers: Map<string, FSWatcher> = new Map();
  private readonly onChange: () => void;

  constructor(onChange: () => void) {
    this.onChange = onChange;
  }

  /** Watches exactly these directories from now on. False when one of them cannot be watched, so that the caller has to look by itself. */
  watchOnly(directories: readonly string[]): boolean {
    const wanted = new Set(directories);
    for (const path of [...this.watchers.keys()]) {
      if (!wanted.has(path)) this.drop(path);
    }
    let isWhole = true;
    for (const path of wanted) {
      if (!this.watchers.has(path)) isWhole = this.add(path) && isWhole;
    }
    return isWhole;
  }

  /** Stops all watches. */
  close(): void {
    for (const path of [...this.watchers.keys()]) this.drop(path);
  }

  private add(path: string): boolean {
    try {
      const watcher = watch(path, { persistent: false });
      watcher.on('change', (_event, name) => this.onEvent(path, name));
      watcher.on('error', () => this.onEvent(path, basename(path)));
      this.watchers.set(path, watcher);
      return true;
    } catch {
      // No watches left, a file system without them, or the directory went in between.
      return false;
    }
  }

  private onEvent(path: string, name: string | Buffer): void {
    // An event under the directory's own name is about the directory: removed, moved or replaced. Its watch is dead then, even when a
    // directory of the same name is back already.
    if (String(name) === basename(path)) this.drop(path);
    this.onChange();
  }

  private drop(path: string): void {
    this.watchers.get(path)?.close();
    this.watchers.delete(path);
  }
}
