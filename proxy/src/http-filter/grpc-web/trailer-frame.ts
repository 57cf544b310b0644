// Trailers as gRPC-Web carries them: the last frame of the body, marked by the top bit of its flag byte.
//
//    0x80 | length, 4 bytes big-endian | name: value CRLF ...

import type { Headers } from '@weft/lib/header';

const trailerFlag = 0x80;
const headBytes = 5;

export function trailerFrame(trailers: Headers): Buffer {
  let text = '';
  for (let slot = 0; slot < trailers.slots; slot++) {
    if (trailers.present(slot)) text += `${trailers.nameAt(slot)}: ${trailers.valueAt(slot)}\r\n`;
  }
  const frame = Buffer.allocUnsafe(headBytes + text.length);
  frame[0] = trailerFlag;
  frame.writeUInt32BE(text.length, 1);
  frame.write(text, headBytes, 'latin1');
  return frame;
}
