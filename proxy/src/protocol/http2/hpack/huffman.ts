// The Huffman code of HPACK (RFC 7541 Appendix B). The code is canonical, so the lengths alone define it: codes count up by length,
// and by symbol within a length.

/** Bits of each byte's code; the last is the end-of-string symbol, which must not occur. */
const lengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const endSymbol = 256;

interface Tree {
  /** Two entries per node: what follows a 0 and a 1. Positive: a node; negative: -1 - symbol; 0: nothing. */
  readonly next: Int32Array;
  readonly codes: Uint32Array;
}

function buildTree(): Tree {
  const order = lengths
    .map((_, symbol) => symbol)
    .sort((a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b);
  const codes = new Uint32Array(lengths.length);
  const next = new Int32Array(lengths.length * 4);
  let nodes = 1;
  let code = 0;
  let previous = 0;
  for (const symbol of order) {
    const length = lengths[symbol] as number;
    if (previous !== 0) code = (code + 1) * 2 ** (length - previous);
    previous = length;
    codes[symbol] = code;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const at = node * 2 + (Math.floor(code / 2 ** bit) % 2);
      if (next[at] === 0) next[at] = nodes++;
      node = next[at] as number;
    }
    next[node * 2 + (code % 2)] = -1 - symbol;
  }
  return { next, codes };
}

const { next, codes } = buildTree();

// Decoding goes a nibble at a time: from each node, what 4 bits lead to. A code is at least 5 bits long, so a nibble ends one at most.
const nibbleNode = new Int16Array(lengths.length * 16);
const nibbleSymbol = new Int16Array(lengths.length * 16).fill(-1);
/** Where an input may end: at the root, or up to 7 bits of ones into a code (RFC 7541 §5.2). */
const mayEnd = new Uint8Array(lengths.length);

function buildNibbles(): void {
  for (let node = 0; node < lengths.length; node++) {
    for (let nibble = 0; nibble < 16; nibble++) fillNibble(node, nibble);
  }
  let node = 0;
  mayEnd[0] = 1;
  for (let bit = 0; bit < 7; bit++) {
    node = next[node * 2 + 1] as number;
    mayEnd[node] = 1;
  }
}

function fillNibble(start: number, nibble: number): void {
  let node = start;
  for (let bit = 3; bit >= 0; bit--) {
    const to = next[node * 2 + ((nibble >> bit) & 1)] as number;
    if (to === 0 || to === -1 - endSymbol) {
      nibbleNode[start * 16 + nibble] = -1;
      return;
    }
    if (to < 0) {
      nibbleSymbol[start * 16 + nibble] = -1 - to;
      node = 0;
    } else node = to;
  }
  nibbleNode[start * 16 + nibble] = node;
}

buildNibbles();

/** Results of `decodeHuffman` besides a length: the input is no such code, or the target is too small. */
export const NO_CODE = -1;
export const OVERFLOW = -2;

/** Decodes into `target`; returns how many bytes came out, or why none did. */
export function decodeHuffman(source: Buffer, start: number, end: number, target: Buffer): number {
  let node = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = source[at] as number;
    for (let shift = 4; shift >= 0; shift -= 4) {
      const key = node * 16 + ((byte >> shift) & 15);
      const symbol = nibbleSymbol[key] as number;
      if (symbol >= 0) {
        if (length >= target.length) return OVERFLOW;
        target[length++] = symbol;
      }
      node = nibbleNode[key] as number;
      if (node < 0) return NO_CODE;
    }
  }
  return mayEnd[node] === 1 ? length : NO_CODE;
}

/** Bytes that the latin1 text takes when encoded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i) & 255] as number;
  return (bits + 7) >> 3;
}

/** Encodes latin1 text into `target` from `start`; there must be room for `huffmanLength` bytes. Returns the end. */
export function encodeHuffman(text: string, target: Buffer, start: number): number {
  let at = start;
  let held = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 255;
    const length = lengths[symbol] as number;
    // 7 held bits and a code of 30 do not fit 32 bits: the arithmetic is done in doubles, exact up to 2^53.
    held = held * 2 ** length + (codes[symbol] as number);
    bits += length;
    while (bits >= 8) {
      bits -= 8;
      const power = 2 ** bits;
      const byte = Math.floor(held / power);
      target[at++] = byte;
      held -= byte * power;
    }
  }
  // The rest is filled up with ones, the beginning of the end symbol.
  if (bits > 0) target[at++] = held * 2 ** (8 - bits) + (2 ** (8 - bits) - 1);
  return at;
}
