// Request ids: UUIDs (RFC 9562 version 4) from a quick generator. They name requests in logs; nothing may take them for secrets.

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function text(value: number, shift: number): string {
  return hex[(value >>> shift) & 255] as string;
}

function word(): number {
  return (Math.random() * 0x1_0000_0000) >>> 0;
}

/** A new id, such as `9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d`. */
export function makeRequestId(): string {
  const a = word();
  // Version 4 and variant 10 are fixed bits.
  const b = (word() & 0x3fff0fff) | 0x80004000;
  const c = word();
  const d = word();
  const first = text(a, 0) + text(a, 8) + text(a, 16) + text(a, 24);
  const last = text(d, 0) + text(d, 8) + text(d, 16) + text(d, 24) + text(c, 16) + text(c, 24);
  return `${first}-${text(c, 0)}${text(c, 8)}-${text(b, 8)}${text(b, 0)}-${text(b, 24)}${text(b, 16)}-${last}`;
}
