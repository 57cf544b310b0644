// Notices that files may have changed: directory events where the system gives them, a slow look round where it does not
// (network mounts, exchanged symbolic links).

import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '@weft/lib/clock';

/** One rotation writes several files; their events are taken together. */
const settleMs = 100;
const pollMs = 10_000;

/** A registration; `stop` ends it. */
export interface FileWatch {
  stop(): void;
}

interface Registration {
  readonly directories: readonly string[];
  readonly onMaybeChanged: () => void;
  pending: Timer | null;
}

interface WatchedDirectory {
  readonly watcher: FSWatcher | null;
  users: number;
}

/** Shares one system watch per directory. Callbacks must look for themselves whether anything is different. */
export class FileWatcher {
  private readonly clock: Clock;
  private readonly directories: Map<string, WatchedDirectory> = new Map();
  private readonly registrations: Set<Registration> = new Set();
  private poll: Timer | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Calls back, never during this call, when one of the files may have changed. */
  watch(files: readonly string[], onMaybeChanged: () => void): FileWatch {
    const directories = [...new Set(files.map((file) => dirname(file)))];
    const registration: Registration = { directories, onMaybeChanged, pending: null };
    this.registrations.add(registration);
    for (const directory of directories) this.open(directory);
    this.poll ??= this.clock.start(pollMs, onPoll, this);
    return { stop: () => this.stop(registration) };
  }

  /** Stops everything. */
  close(): void {
    for (const registration of [...this.registrations]) this.stop(registration);
  }

  /** Has every callback look now; also what the poll does. */
  lookRound(): void {
    for (const registration of [...this.registrations]) registration.onMaybeChanged();
    this.poll = this.registrations.size === 0 ? null : this.clock.start(pollMs, onPoll, this);
  }

  private open(directory: string): void {
    const existing = this.directories.get(directory);
    if (existing !== undefined) {
      existing.users++;
      return;
    }
    this.directories.set(directory, { watcher: this.startWatcher(directory), users: 1 });
  }

  private startWatcher(directory: string): FSWatcher | null {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.onEvent(directory));
      // The directory may go away, or the system be out of watches: the poll remains.
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return null;
    }
  }

  private onEvent(directory: string): void {
    for (const registration of this.registrations) {
      if (!registration.directories.includes(directory)) continue;
      registration.pending?.stop();
      registration.pending = this.clock.start(settleMs, onSettled, registration);
    }
  }

  private stop(registration: Registration): void {
    if (!this.registrations.delete(registration)) return;
    registration.pending?.stop();
    for (const directory of registration.directories) this.release(directory);
    if (this.registrations.size > 0) return;
    this.poll?.stop();
    this.poll = null;
  }

  private release(directory: string): void {
    const watched = this.directories.get(directory);
    if (watched === undefined || --watched.users > 0) return;
    watched.watcher?.close();
    this.directories.delete(directory);
  }
}

function onSettled(registration: Registration): void {
  registration.pending = null;
  registration.onMaybeChanged();
}

function onPoll(watcher: FileWatcher): void {
  watcher.lookRound();
}
