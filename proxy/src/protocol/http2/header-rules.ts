// What makes header fields well-formed in HTTP/2 (RFC 9113 §8.2, §8.3): decoded fields -> a head, or null for a malformed message.

import { HeaderBlock } from '@weft/lib/header';
import type { H2RequestHead, H2ResponseHead } from './message.ts';

const namePattern = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
// Tab and visible characters, and obs-text; no white space at the ends.
const valuePattern = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const methodPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// A fragment is let through here: the connection manager answers it, which tells the client more than a reset.
const targetPattern = /^[\x21-\x7e]+$/;
const authorityPattern = /^(?:[A-Za-z0-9._~!$&'()*+,;=%-]|\[[0-9A-Fa-f:.]+\])+(?::[0-9]{1,5})?$/;
const schemePattern = /^[a-z][a-z0-9+.-]*$/;
const lengthPattern = /^[0-9]{1,16}$/;

// They speak of one connection, which here is not a message's business (RFC 9113 §8.2.2).
const connectionNames: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

type Fields = readonly string[];

/** Index of the first regular field, or -1 when a pseudo field follows one. */
function regularStart(names: Fields): number {
  let start = 0;
  while (start < names.length && (names[start] as string).startsWith(':')) start++;
  for (let i = start; i < names.length; i++) if ((names[i] as string).startsWith(':')) return -1;
  return start;
}

/** What the regular fields say besides themselves. */
interface Regular {
  readonly block: HeaderBlock;
  readonly contentLength: number;
  readonly host: string | null;
}

function isAllowed(name: string, value: string): boolean {
  if (!namePattern.test(name) || !valuePattern.test(value)) return false;
  if (connectionNames.has(name)) return false;
  return name !== 'te' || value === 'trailers';
}

// Cookies may come in crumbs; elsewhere they are one field (RFC 9113 §8.2.3).
function readRegular(names: Fields, values: Fields, start: number): Regular | null {
  const keptNames: string[] = [];
  const keptValues: string[] = [];
  let contentLength = -1;
  let host: string | null = null;
  let cookieAt = -1;
  for (let i = start; i < names.length; i++) {
    const name = names[i] as string;
    const value = values[i] as string;
    if (!isAllowed(name, value)) return null;
    if (name === 'content-length') {
      if (contentLength >= 0 || !lengthPattern.test(value) || Number(value) > Number.MAX_SAFE_INTEGER) return null;
      contentLength = Number(value);
    }
    if (name === 'host') {
      if (host !== null) return null;
      host = value;
      continue;
    }
    if (name === 'cookie' && cookieAt >= 0) {
      keptValues[cookieAt] += `; ${value}`;
      continue;
    }
    if (name === 'cookie') cookieAt = keptNames.length;
    keptNames.push(name);
    keptValues.push(value);
  }
  return { block: new HeaderBlock(keptNames, keptValues), contentLength, host };
}

/** The head of a request, or null when it is malformed. */
export function readRequest(names: Fields, values: Fields): H2RequestHead | null {
  const start = regularStart(names);
  if (start < 0) return null;
  const pseudo = readRequestPseudo(names, values, start);
  const regular = pseudo === null ? null : readRegular(names, values, start);
  if (pseudo === null || regular === null) return null;
  const { method, path, scheme, protocol } = pseudo;
  const { host } = regular;
  if (pseudo.authority !== null && host !== null && pseudo.authority.toLowerCase() !== host.toLowerCase()) return null;
  const authority = pseudo.authority ?? host ?? '';
  if (authority !== '' && !authorityPattern.test(authority)) return null;
  // A tunnel has no content, so nothing may say how long it is.
  if (method === 'CONNECT' && (authority === '' || regular.contentLength >= 0)) return null;
  const isPlainConnect = method === 'CONNECT' && protocol === null;
  if (isPlainConnect && (scheme !== null || path !== null)) return null;
  if (!isPlainConnect && (scheme === null || path === null || !isPath(path, method))) return null;
  const { block, contentLength } = regular;
  return {
    method,
    path: path ?? '',
    authority,
    scheme: scheme ?? '',
    protocol,
    block,
    contentLength,
    tooLarge: false,
    minor: 2,
  };
}

function isPath(path: string, method: string): boolean {
  if (path === '*') return method === 'OPTIONS';
  return path.startsWith('/') && targetPattern.test(path);
}

interface RequestPseudo {
  readonly method: string;
  readonly path: string | null;
  readonly scheme: string | null;
  readonly authority: string | null;
  readonly protocol: string | null;
}

// One variable for each field: an object that is filled by name would be made anew for each request.
function readRequestPseudo(names: Fields, values: Fields, end: number): RequestPseudo | null {
  let method: string | null = null;
  let path: string | null = null;
  let scheme: string | null = null;
  let authority: string | null = null;
  let protocol: string | null = null;
  for (let i = 0; i < end; i++) {
    const name = names[i] as string;
    const value = values[i] as string;
    if (name === ':method' && method === null) method = value;
    else if (name === ':path' && path === null) path = value;
    // A scheme is compared without regard to case; routing and policies see one form of it.
    else if (name === ':scheme' && scheme === null) scheme = value.toLowerCase();
    else if (name === ':authority' && authority === null) authority = value;
    else if (name === ':protocol' && protocol === null) protocol = value;
    // Unknown, or here for the second time.
    else return null;
  }
  if (method === null || !methodPattern.test(method)) return null;
  if (protocol !== null && (method !== 'CONNECT' || !methodPattern.test(protocol))) return null;
  if (scheme !== null && !schemePattern.test(scheme)) return null;
  return { method, protocol, scheme, path, authority };
}

/** The head of a response, or null when it is malformed. */
export function readResponse(names: Fields, values: Fields): H2ResponseHead | null {
  if (names[0] !== ':status' || regularStart(names) !== 1) return null;
  const text = values[0] as string;
  if (!/^[1-9][0-9]{2}$/.test(text) || text === '101') return null;
  const regular = readRegular(names, values, 1);
  return regular === null ? null : { status: Number(text), block: regular.block, contentLength: regular.contentLength };
}

// Trailers must not say again what the head has decided (RFC 9110 §6.5.1).
const notInTrailers: ReadonlySet<string> = new Set([
  'content-length',
  'host',
  'authorization',
  'content-encoding',
  'te',
]);

/** Trailers, or null when they are malformed. */
export function readTrailers(names: Fields, values: Fields): HeaderBlock | null {
  if (regularStart(names) !== 0) return null;
  const regular = readRegular(names, values, 0);
  if (regular === null || regular.host !== null) return null;
  const { block } = regular;
  if (!block.names.some((name) => notInTrailers.has(name))) return block;
  const kept = block.names.map((name, i) => [name, block.values[i] as string] as const);
  const allowed = kept.filter(([name]) => !notInTrailers.has(name));
  return new HeaderBlock(
    allowed.map(([name]) => name),
    allowed.map(([, value]) => value),
  );
}
