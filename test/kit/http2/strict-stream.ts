// One stream as a strict server sees it: what the client has sent on it, and what it may still send.

import type { Field } from './field-rules.ts';

export class StrictStream {
  readonly id: number;
  readonly fields: readonly Field[];
  readonly body: Buffer[] = [];
  trailers: readonly Field[] | null = null;
  bodyBytes = 0;
  /** What the client may still send. */
  window: number;
  /** The client has sent END_STREAM. */
  isEnded = false;
  /** The code of the client's RST_STREAM. */
  resetCode: number | null = null;
  /** PINGs sent when this side ended or reset the stream; the client knows of it once that many are acknowledged. */
  ownEndAtPing: number | null = null;
  ownResetAtPing: number | null = null;

  constructor(id: number, fields: readonly Field[], window: number) {
    this.id = id;
    this.fields = fields;
    this.window = window;
  }

  field(name: string): string | undefined {
    return this.fields.find(([one]) => one === name)?.[1];
  }

  get path(): string {
    return this.field(':path') ?? '';
  }

  get content(): Buffer {
    return Buffer.concat(this.body);
  }

  /** §8.1.1: the length that was announced is the length that came. */
  lengthFault(): string[] {
    const declared = this.field('content-length');
    if (declared === undefined || Number(declared) === this.bodyBytes) return [];
    return [`content-length ${declared} with ${this.bodyBytes} bytes of content`];
  }
}
