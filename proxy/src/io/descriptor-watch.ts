// Says when the process runs out of file descriptors. Nobody else does: while none is free, the event loop closes connections that
// wait to be accepted without a word. The kernel gives the lowest free number, so a socket with the last one means that none is left.

import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Clock } from '@weft/lib/clock';
import { codeOf } from '@weft/lib/error';
import type { Log } from '@weft/lib/log';
import type { Counter, Scope } from '@weft/lib/metrics';
import { descriptorOf } from './kernel/descriptor.ts';

const lookMs = 1000;
/** So many looks in a row must find one free before the shortage is over. */
const looksToEnd = 10;
/** While it lasts, it is said again once a minute. */
const looksToRepeat = 60;

export interface DescriptorWatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  /** Tests give these. */
  readonly limit?: number;
  readonly isOneFree?: () => boolean;
}

/** What a request that needed a descriptor is answered with. */
export const shortageDetails = 'no file descriptor is free; raise the limit of open files (ulimit -n)';

/** Whether the system refused a file descriptor. */
export function isShortage(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'EMFILE' || code === 'ENFILE';
}

export class DescriptorWatch {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly limit: number;
  private readonly last: number;
  private readonly isOneFree: () => boolean;
  private readonly exhausted: Counter;
  private isShort = false;
  private looks = 0;
  private goodLooks = 0;

  constructor({ clock, log, scope, limit = readLimit(), isOneFree = tryOne }: DescriptorWatchOptions) {
    this.clock = clock;
    this.log = log;
    this.limit = limit;
    this.last = limit - 1;
    this.isOneFree = isOneFree;
    this.exhausted = scope.counter('exhausted');
  }

  onAccepted(socket: Socket): void {
    if (descriptorOf(socket) >= this.last) this.onShortage();
  }

  /** None was free: for a connection to an endpoint, or for one that waits to be accepted. */
  onShortage(): void {
    this.exhausted.inc();
    this.goodLooks = 0;
    if (this.isShort) return;
    this.isShort = true;
    this.looks = 0;
    this.complain();
    this.clock.start(lookMs, look, this as DescriptorWatch);
  }

  private complain(): void {
    const fields = Number.isFinite(this.limit) ? { count: this.limit } : {};
    this.log.error(complaint, fields);
  }

  /** Called by the timer. */
  look(): void {
    this.looks++;
    if (this.isOneFree()) this.goodLooks++;
    else {
      this.exhausted.inc();
      this.goodLooks = 0;
    }
    if (this.goodLooks === looksToEnd) {
      this.isShort = false;
      this.log.info('file descriptors are free again');
      return;
    }
    if (this.looks % looksToRepeat === 0) this.complain();
    this.clock.start(lookMs, look, this as DescriptorWatch);
  }
}

const complaint =
  'out of file descriptors: connections are refused until others close; raise the limit of open files (ulimit -n, LimitNOFILE= in systemd)';

function look(watch: DescriptorWatch): void {
  watch.look();
}

/** Infinite where the system does not tell: then only what it refuses is noticed. */
function readLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function tryOne(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'));
    return true;
  } catch (error) {
    return !isShortage(error);
  }
}
