// Short text frames of WebSocket (RFC 6455 §5.2), for ends that speak it over HTTP/2 streams.

const finText = 0x81;
const masked = 0x80;

/** A text frame; what a client sends is masked. At most 125 bytes. */
export function textFrame(text: string, isMasked: boolean): Buffer {
  const payload = Buffer.from(text);
  if (!isMasked) return Buffer.concat([Buffer.from([finText, payload.length]), payload]);
  const mask = Buffer.from([1, 2, 3, 4]);
  return Buffer.concat([Buffer.from([finText, masked | payload.length]), mask, applyMask(payload, mask)]);
}

function applyMask(payload: Buffer, mask: Buffer): Buffer {
  return Buffer.from(payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0)));
}

/** Takes whole text frames from bytes that come in any pieces. */
export class TextFrameReader {
  private bytes: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): string[] {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    const found: string[] = [];
    for (let text = this.take(); text !== null; text = this.take()) found.push(text);
    return found;
  }

  private take(): string | null {
    const second = this.bytes[1];
    if (second === undefined) return null;
    const maskBytes = (second & masked) === 0 ? 0 : 4;
    const size = 2 + maskBytes + (second & 0x7f);
    if (this.bytes.length < size) return null;
    const mask = this.bytes.subarray(2, 2 + maskBytes);
    const payload = this.bytes.subarray(2 + maskBytes, size);
    this.bytes = this.bytes.subarray(size);
    return (maskBytes === 0 ? payload : applyMask(payload, mask)).toString();
  }
}
