// xxHash32 of latin1 text: the hash behind sticky requests and consistent-hashing balancers.

const prime1 = 0x9e3779b1;
const prime2 = 0x85ebca77;
const prime3 = 0xc2b2ae3d;
const prime4 = 0x27d4eb2f;
const prime5 = 0x165667b1;

/** An unsigned 32-bit hash; each UTF-16 unit counts as its low byte, which is exact for header values and addresses. */
export function hashText(text: string, seed = 0): number {
  const { length } = text;
  let at = 0;
  let hash: number;
  if (length >= 16) {
    let a = (seed + prime1 + prime2) | 0;
    let b = (seed + prime2) | 0;
    let c = seed | 0;
    let d = (seed - prime1) | 0;
    for (; at + 16 <= length; at += 16) {
      a = round(a, wordAt(text, at));
      b = round(b, wordAt(text, at + 4));
      c = round(c, wordAt(text, at + 8));
      d = round(d, wordAt(text, at + 12));
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0;
  } else {
    hash = (seed + prime5) | 0;
  }
  hash = (hash + length) | 0;
  for (; at + 4 <= length; at += 4) {
    hash = Math.imul(rotate((hash + Math.imul(wordAt(text, at), prime3)) | 0, 17), prime4);
  }
  for (; at < length; at++) {
    hash = Math.imul(rotate((hash + Math.imul(text.charCodeAt(at) & 0xff, prime5)) | 0, 11), prime1);
  }
  return avalanche(hash);
}

/** One hash of several, as Envoy joins the results of its hash policies: order matters. */
export function combineHashes(before: number, next: number): number {
  return (rotate(before, 1) ^ next) >>> 0;
}

/** Spreads a number over 32 bits. */
export function avalanche(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function round(lane: number, word: number): number {
  return Math.imul(rotate((lane + Math.imul(word, prime2)) | 0, 13), prime1);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function wordAt(text: string, at: number): number {
  return (
    (text.charCodeAt(at) & 0xff) |
    ((text.charCodeAt(at + 1) & 0xff) << 8) |
    ((text.charCodeAt(at + 2) & 0xff) << 16) |
    ((text.charCodeAt(at + 3) & 0xff) << 24)
  );
}
