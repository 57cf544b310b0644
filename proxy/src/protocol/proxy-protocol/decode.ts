// Reads a PROXY protocol header off the first bytes of a connection. Keeps no state: it is asked again with more bytes.

import { decodeV1 } from './decode-v1.ts';
import { decodeV2 } from './decode-v2.ts';
import { type DecodedHeader, type MalformedHeader, type ProxyVersion, v1Signature, v2Signature } from './header.ts';

/** `more`: the bytes do not tell yet. `none`: no header begins like this. */
export type Signature = ProxyVersion | 'more' | 'none';

/** Which version the bytes begin as, of those that are looked for. */
export function readSignature(bytes: Buffer, versions: readonly ProxyVersion[]): Signature {
  let isOpen = false;
  for (const version of versions) {
    const signature = version === 1 ? v1Signature : v2Signature;
    const length = Math.min(bytes.length, signature.length);
    if (signature.compare(bytes, 0, length, 0, length) !== 0) continue;
    if (length === signature.length) return version;
    isOpen = true;
  }
  return isOpen ? 'more' : 'none';
}

/** The header of that version whose signature the bytes begin with, or `more` while it is not whole. */
export function decodeHeader(bytes: Buffer, version: ProxyVersion): DecodedHeader | MalformedHeader | 'more' {
  return version === 1 ? decodeV1(bytes) : decodeV2(bytes);
}

export function isMalformed(result: DecodedHeader | MalformedHeader): result is MalformedHeader {
  return 'problem' in result;
}
