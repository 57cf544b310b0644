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

  /** Past the bound there is nothing to keep for; unless `isUnsent`: then the attempt at hand needs all that has come. */
  append(buffer: Buffer, offset: number, length: number, isUnsent: boolean): void {
    if (this.body.length + length > this.limitBytes) this.isOverflown = true;
    if (!this.isOverflown || isUnsent) this.body.append(buffer, offset, length);
    else this.body.take(this.body.length);
  }
}
