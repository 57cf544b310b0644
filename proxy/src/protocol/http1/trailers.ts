// Trailer sections: parsed as headers, then without the names that may not come so late (RFC 9110 §6.5.1).

import { latin1Text } from '@weft/lib/bytes';
import { HeaderBlock } from '@weft/lib/header';
import { type Http1Error, http1Error } from './error.ts';
import { SectionParser } from './header-section.ts';

// These decide framing or routing: a message that brings them late is an attack.
const refused: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'host']);

// These speak about the connection, the content or the request as a whole and mean nothing after the body.
const dropped: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'connection',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'expect',
  'keep-alive',
  'max-forwards',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'range',
  'set-cookie',
  'te',
  'trailer',
  'upgrade',
  'www-authenticate',
]);

/** Parses the lines of `buffer` from `start` to `end`, the closing empty line among them. */
export function parseTrailers(buffer: Buffer, start: number, end: number, maxCount: number): HeaderBlock | Http1Error {
  const parser = new SectionParser();
  const block = parser.parse(buffer, start, latin1Text(buffer, start, end), 0, maxCount);
  if (block === null) return parser.error ?? http1Error.incomplete;
  if (block.names.some((name) => refused.has(name))) return http1Error.bad_trailer_name;
  if (!block.names.some((name) => dropped.has(name))) return block;
  const kept = block.names.map((_, slot) => slot).filter((slot) => !dropped.has(block.names[slot] as string));
  const pick = (list: readonly string[]) => kept.map((slot) => list[slot] as string);
  return new HeaderBlock(pick(block.names), pick(block.values), pick(block.rawNames));
}

/** Whether a trailer of that lower-case name may be sent. */
export function isTrailerName(name: string): boolean {
  return !refused.has(name) && !dropped.has(name);
}
