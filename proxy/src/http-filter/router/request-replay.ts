// The request body kept for attempts that may follow, bounded: past the bound there is no second attempt.

import { BodyBuffer } from '@weft/lib/body-buffer';

export class RequestReplay {
  private readonly body = new BodyBuffer();
  private readonly limitBytes: number;
  isOverflown = false;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get buffer(): Buffer {
    return this.body.buffer;
  }

  get length(): number {
    return this.body.length;
  }

  /** False when the bound is passed; what was kept is of no use then. */
  append(buffer: Buffer, offset: number, length: number): boolean {
    if (this.isOverflown) return false;
    if (this.body.length + length > this.limitBytes) {
      this.isOverflown = true;
      return false;
    }
    this.body.append(buffer, offset, length);
    return true;
  }
}
