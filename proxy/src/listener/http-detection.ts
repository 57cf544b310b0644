// Tells HTTP from other protocols by the first bytes (Envoy: http_inspector).

import { latin1Text } from '@weft/lib/bytes';

/** Envoy's words for `application_protocols`; null when it is not HTTP, `more` when the bytes do not tell yet. */
export type DetectedHttp = 'http/1.0' | 'http/1.1' | 'h2c' | null | 'more';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const methodPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/;
/** A first line longer than this is not waited for. */
const maxLineBytes = 8 * 1024;
const maxMethodBytes = 32;

/** Looks at the first line only. */
export function detectHttp(bytes: Buffer): DetectedHttp {
  const start = latin1Text(bytes, 0, Math.min(bytes.length, preface.length));
  if (start.length > 0 && preface.startsWith(start)) return start.length === preface.length ? 'h2c' : 'more';
  const lineEnd = bytes.indexOf(10);
  const line = latin1Text(bytes, 0, lineEnd < 0 ? Math.min(bytes.length, maxLineBytes) : lineEnd);
  const space = line.indexOf(' ');
  const method = space < 0 ? line : line.slice(0, space);
  if (method.length > maxMethodBytes || !methodPattern.test(method.trimEnd()) || space === 0) return null;
  if (lineEnd < 0) return bytes.length >= maxLineBytes ? null : 'more';
  if (line.endsWith(' HTTP/1.1\r') || line.endsWith(' HTTP/1.1')) return 'http/1.1';
  if (line.endsWith(' HTTP/1.0\r') || line.endsWith(' HTTP/1.0')) return 'http/1.0';
  return null;
}
