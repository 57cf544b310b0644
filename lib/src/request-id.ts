// Request ids: UUIDs (RFC 9562 version 4) from a quick generator. They name requests in logs; nothing may take them for secrets.

import { latin1Text } from './bytes.ts';

const digits = Buffer.from('0123456789abcdef', 'latin1');
/** The id that is being made; its dashes stay. Bytes, because joining text would leave a dozen pieces for the collector. */
const id = Buffer.from('00000000-0000-4000-8000-000000000000', 'latin1');
/** Where each of the 16 bytes stands in it. */
const places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

function putWord(first: number, word: number): void {
  for (let i = 0; i < 4; i++) {
    const place = places[first + i] as number;
    const byte = (word >>> (24 - 8 * i)) & 255;
    id[place] = digits[byte >>> 4] as number;
    id[place + 1] = digits[byte & 15] as number;
  }
}

function randomWord(): number {
  return (Math.random() * 0x1_0000_0000) >>> 0;
}

/** A new id, such as `9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d`. */
export function makeRequestId(): string {
  putWord(0, randomWord());
  // Version 4 and variant 10 are fixed bits.
  putWord(4, (randomWord() & 0xffff0fff) | 0x00004000);
  putWord(8, (randomWord() & 0x3fffffff) | 0x80000000);
  putWord(12, randomWord());
  return latin1Text(id, 0, id.length);
}
