// Tiny DATA frames of one stream, one behind the other: a body that comes so would otherwise cost a whole way through the machine for
// each byte of it.

import type { Gather } from '../gather.ts';
import { DATA, headBytes } from './frame/frame.ts';

/**
 * Takes whole DATA frames of stream `id` with up to 255 bytes of content, without flags, from `start` on, as long as a row is under
 * way in `gathered`. Returns the offset behind the last one that it took.
 */
export function gatherTinyData(buffer: Buffer, start: number, end: number, id: number, gathered: Gather): number {
  const into = gathered.buffer;
  const full = gathered.length + gathered.room;
  const lastStart = end - headBytes;
  let length = gathered.length;
  let at = start;
  while (at < lastStart && isTinyData(buffer, at, id)) {
    const size = buffer[at + 2] as number;
    const frameEnd = at + headBytes + size;
    if (size === 0 || frameEnd > end || length + size > full) break;
    for (let i = at + headBytes; i < frameEnd; i++) into[length++] = buffer[i] as number;
    at = frameEnd;
  }
  gathered.length = length;
  return at;
}

function isTinyData(buffer: Buffer, at: number, id: number): boolean {
  if (buffer[at] !== 0 || buffer[at + 1] !== 0 || buffer[at + 3] !== DATA || buffer[at + 4] !== 0) return false;
  const high = ((buffer[at + 5] as number) << 24) | ((buffer[at + 6] as number) << 16);
  return (high | ((buffer[at + 7] as number) << 8) | (buffer[at + 8] as number)) === id;
}
