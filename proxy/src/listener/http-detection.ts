// Tells HTTP from other protocols by the first bytes (Envoy: http_inspector).

import { latin1Text } from '@weft/lib/bytes';

/** Envoy's words for `application_protocols`; null when it is not HTTP, `more` when the bytes do not tell yet. */
export type DetectedHttp = 'http/1.0' | 'http/1.1' | 'h2c' | null | 'more';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const methodPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/;
/** A first line longer than this is not waited for; as Envoy's, more than the longest head that is taken by default. */
const maxLineBytes = 64 * 1024;
const maxMethodBytes = 32;
const versionBytes = ' HTTP/1.1\r'.length;

/** Looks at the first line only. */
export function detectHttp(bytes: Buffer): DetectedHttp {
  const start = latin1Text(bytes, 0, Math.min(bytes.length, preface.length));
  if (start.length > 0 && preface.startsWith(start)) return start.length === preface.length ? 'h2c' : 'more';
  const lineEnd = bytes.indexOf(10);
  const length = lineEnd < 0 ? bytes.length : lineEnd;
  const begin = latin1Text(bytes, 0, Math.min(length, maxMethodBytes + 1));
  const space = begin.indexOf(' ');
  const method = space < 0 ? begin : begin.slice(0, space);
  if (method.length > maxMethodBytes || !methodPattern.test(method.trimEnd()) || space === 0) return null;
  if (lineEnd < 0) return bytes.length >= maxLineBytes ? null : 'more';
  const end = latin1Text(bytes, Math.max(0, lineEnd - versionBytes), lineEnd);
  if (end.endsWith(' HTTP/1.1\r') || end.endsWith(' HTTP/1.1')) return 'http/1.1';
  if (end.endsWith(' HTTP/1.0\r') || end.endsWith(' HTTP/1.0')) return 'http/1.0';
  return null;
}
