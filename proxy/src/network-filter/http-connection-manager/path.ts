// Path normalisation, once, before routing and authorization, so that both see the same path (RFC 3986 §6.2.2).

import { hexDigitValue } from '../../protocol/hex-digit.ts';

/** What to do with `%2F` and `%5C` (Envoy: PathWithEscapedSlashesAction). */
export type EscapedSlashes = 'keep' | 'reject' | 'redirect' | 'forward';

export interface PathPolicy {
  readonly normalizes: boolean;
  readonly mergesSlashes: boolean;
  readonly escapedSlashes: EscapedSlashes;
}

/** The path as it is from here on; null when it is refused. `redirect` asks the client to use the new one. */
export interface PathResult {
  readonly path: string;
  readonly redirect: boolean;
}

const escapedSlashPattern = /%(?:2f|5c)/i;

/** Whether nothing has to be looked at. */
export function isNeutral(policy: PathPolicy): boolean {
  return !policy.normalizes && !policy.mergesSlashes && policy.escapedSlashes === 'keep';
}

/** Applies the policy to a path with its query; the query is left alone. */
export function normalizePath(target: string, policy: PathPolicy): PathResult | null {
  if (!target.startsWith('/')) return { path: target, redirect: false };
  const question = target.indexOf('?');
  const query = question < 0 ? '' : target.slice(question);
  let path = question < 0 ? target : target.slice(0, question);
  let redirect = false;
  if (policy.escapedSlashes !== 'keep' && escapedSlashPattern.test(path)) {
    if (policy.escapedSlashes === 'reject') return null;
    redirect = policy.escapedSlashes === 'redirect';
    path = path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
  }
  if (policy.normalizes && needsNormalization(path)) {
    if (path.includes('%00')) return null;
    path = removeDotSegments(rewriteBytes(path));
  }
  if (policy.mergesSlashes && path.includes('//')) path = path.replace(/\/{2,}/g, '/');
  return { path: path + query, redirect };
}

// What a path should hold in escaped form only (RFC 3986 §2), though clients send it bare.
const unsafePattern = /["<>^`{|}]/;

function needsNormalization(path: string): boolean {
  return path.includes('%') || path.includes('/.') || path.includes('\\') || unsafePattern.test(path);
}

const PERCENT = 37;
const SLASH = 47;
const BACKSLASH = 92;
const hexDigits = Buffer.from('0123456789ABCDEF', 'latin1');
const isUnreserved = new Uint8Array(256);
const isUnsafe = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const text = String.fromCharCode(byte);
  isUnreserved[byte] = /[A-Za-z0-9._~-]/.test(text) ? 1 : 0;
  isUnsafe[byte] = unsafePattern.test(text) ? 1 : 0;
}

// In one pass, as a path of 60 KiB may be nothing but escapes. Escapes of unreserved bytes stand for the bytes themselves (RFC 3986
// §2.3); others stay as they are: as Envoy, their case too. Backslashes become slashes.
function rewriteBytes(path: string): string {
  const from = Buffer.from(path, 'latin1');
  const to = Buffer.allocUnsafe(from.length * 3);
  let length = 0;
  for (let at = 0; at < from.length; at++) {
    const byte = from[at] as number;
    const meant = byte === PERCENT ? unreservedAt(from, at + 1) : -1;
    if (meant >= 0) {
      to[length++] = meant;
      at += 2;
    } else if (isUnsafe[byte] === 1) {
      to[length++] = PERCENT;
      to[length++] = hexDigits[byte >> 4] as number;
      to[length++] = hexDigits[byte & 15] as number;
    } else to[length++] = byte === BACKSLASH ? SLASH : byte;
  }
  return to.toString('latin1', 0, length);
}

/** The byte that the two digits stand for; -1 when they are none, or it has to stay escaped. */
function unreservedAt(bytes: Buffer, at: number): number {
  if (at + 2 > bytes.length) return -1;
  const high = hexDigitValue[bytes[at] as number] as number;
  const low = hexDigitValue[bytes[at + 1] as number] as number;
  if (high < 0 || low < 0) return -1;
  const byte = high * 16 + low;
  return isUnreserved[byte] === 1 ? byte : -1;
}

// RFC 3986 §5.2.4: a path that climbs above its root stays there. Some programs behind take `..;x` for `..`.
function removeDotSegments(path: string): string {
  const out: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [i, segment] of segments.entries()) {
    const isUp = segment === '..' || segment.startsWith('..;');
    if (!isUp && segment !== '.' && !segment.startsWith('.;')) {
      out.push(segment);
      continue;
    }
    if (isUp) out.pop();
    if (i === segments.length - 1) out.push('');
  }
  return `/${out.join('/')}`;
}
