// Counts gRPC messages in a body that comes in any pieces (gRPC over HTTP/2, "Length-Prefixed-Message").

const prefixBytes = 5;

/** One direction of one call. A message counts with its first byte. */
export class MessageCounter {
  /** Bytes of the prefix still to come. */
  private prefixLeft = prefixBytes;
  private length = 0;
  private bodyLeft = 0;
  private isBroken = false;

  /** How many messages begin in these bytes; none any more once they are no gRPC. */
  count(buffer: Buffer, offset: number, length: number): number {
    if (this.isBroken) return 0;
    let began = 0;
    const end = offset + length;
    for (let at = offset; at < end; ) {
      if (this.bodyLeft > 0) {
        const skipped = Math.min(this.bodyLeft, end - at);
        this.bodyLeft -= skipped;
        at += skipped;
        continue;
      }
      if (this.prefixLeft === prefixBytes) {
        // The flag says whether the message is compressed, and nothing else.
        if ((buffer[at] as number) > 1) {
          this.isBroken = true;
          return began;
        }
        began++;
      } else this.length = this.length * 256 + (buffer[at] as number);
      at++;
      if (--this.prefixLeft === 0) this.startBody();
    }
    return began;
  }

  private startBody(): void {
    this.bodyLeft = this.length;
    this.length = 0;
    this.prefixLeft = prefixBytes;
  }
}
