// Writes DER (X.690): each function returns one whole element, so that structures nest as calls do.

import { DER } from './der-reader.ts';

/** An element with that tag around the content parts. */
export function derElement(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag]), encodeLength(length), ...content]);
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

export function derSequence(...content: readonly Uint8Array[]): Buffer {
  return derElement(DER.SEQUENCE, ...content);
}

export function derSet(...content: readonly Uint8Array[]): Buffer {
  return derElement(DER.SET, ...content);
}

/** A small non-negative integer. */
export function derInteger(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.unshift(rest % 256);
    rest = Math.floor(rest / 256);
  } while (rest > 0);
  // A leading one bit would make it negative.
  if ((bytes[0] as number) >= 0x80) bytes.unshift(0);
  return derElement(DER.INTEGER, Buffer.from(bytes));
}

/** A bit string of whole bytes. */
export function derBitString(content: Uint8Array): Buffer {
  return derElement(DER.BIT_STRING, Buffer.from([0]), content);
}

export function derOctetString(...content: readonly Uint8Array[]): Buffer {
  return derElement(DER.OCTET_STRING, ...content);
}

export function derUtf8String(text: string): Buffer {
  return derElement(DER.UTF8_STRING, Buffer.from(text, 'utf8'));
}

export function derBoolean(value: boolean): Buffer {
  return derElement(DER.BOOLEAN, Buffer.from([value ? 0xff : 0]));
}

/** From dotted text, such as `2.5.29.17`. */
export function derObjectId(dotted: string): Buffer {
  const [top = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [top * 40 + second, ...rest].flatMap(encodeArc);
  return derElement(DER.OBJECT_ID, Buffer.from(bytes));
}

function encodeArc(arc: number): number[] {
  const bytes = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128));
  return bytes;
}

/** A context-specific element: `[number]`, constructed unless `primitive`. */
export function derContext(number: number, primitive: boolean, ...content: readonly Uint8Array[]): Buffer {
  return derElement((primitive ? 0x80 : 0xa0) | number, ...content);
}
