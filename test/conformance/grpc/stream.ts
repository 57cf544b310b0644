// Waiting for what happens on a streaming call.

import type { EventEmitter } from 'node:events';
import type { Metadata, StatusObject } from '@grpc/grpc-js';
import { within } from '../../kit/until.ts';

/** Collects the messages of a call, one promise per message and one for its end. */
export class CallReader<R> {
  readonly messages: R[] = [];
  initial: Metadata | null = null;
  /** The status with which it ended. */
  readonly ended: Promise<StatusObject>;
  private waiters: (() => void)[] = [];

  constructor(call: EventEmitter) {
    call.on('data', (message: R) => {
      this.messages.push(message);
      for (const wake of this.waiters.splice(0)) wake();
    });
    call.on('metadata', (metadata: Metadata) => {
      this.initial = metadata;
    });
    call.on('error', () => {});
    this.ended = within('the end of the call', new Promise((resolve) => call.on('status', resolve)), 20_000);
  }

  /** Resolves once so many messages have come. */
  async received(count: number): Promise<R> {
    while (this.messages.length < count) {
      await within(`message ${count}`, new Promise<void>((resolve) => this.waiters.push(resolve)), 20_000);
    }
    return this.messages[count - 1] as R;
  }
}
