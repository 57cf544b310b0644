// The short way for files that machines write: JSON without a finding needs no positions, and so no YAML parser, which costs a
// starting proxy more memory and time than all of its own configuration.
import { readFileSync } from 'node:fs';
import type { envoy } from '@weft/api/xds/types';
import { checkBootstrap } from './check-bootstrap.ts';

/** The bootstrap of a flawless JSON file; null for anything else, which is then read the long way and told about. */
export function readFlawlessJson(path: string): envoy.config.bootstrap.v3.Bootstrap | null {
  try {
    const text = readFileSync(path, 'utf8');
    const value: unknown = JSON.parse(text);
    if (hasRepeatedKey(text)) return null;
    const { bootstrap, issues } = checkBootstrap(value);
    return issues.length === 0 ? bootstrap : null;
  } catch {
    return null;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Whether an object of valid JSON names a key twice: `JSON.parse` would let the later one win without a word. */
export function hasRepeatedKey(text: string): boolean {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === OPEN) open.push(new Set());
    else if (code === CLOSE) open.pop();
    else if (code === QUOTE) {
      const end = stringEnd(text, at);
      const keys = open.at(-1);
      if (keys !== undefined && isKey(text, end)) {
        const key: unknown = JSON.parse(text.slice(at, end));
        if (keys.has(String(key))) return true;
        keys.add(String(key));
      }
      at = end - 1;
    }
  }
  return false;
}

function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at + 1;
}

// In valid JSON a colon follows a key and nothing else.
function isKey(text: string, end: number): boolean {
  let at = end;
  while (' \t\r\n'.includes(text.charAt(at))) at++;
  return text.charAt(at) === ':';
}
