// Request targets (RFC 9112 §3.2): which of the four forms, and the path and authority each stands for.

import { type Http1Error, http1Error } from './error.ts';

export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk';

/** A valid target, taken apart. `authority` is null where the Host header says it. */
export interface RequestTarget {
  readonly form: TargetForm;
  readonly path: string;
  readonly authority: string | null;
  /** Lower case; only the absolute form has one. */
  readonly scheme: string | null;
}

// No control byte, space, raw non-ASCII byte, and no `#`: fragments are never sent.
const targetPattern = /^[\x21\x22\x24-\x7e]+$/;
const absolutePattern = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?]*)(.*)$/;

// A registered name or IPv4 address, or an IP literal; then maybe a port. No user information.
const authorityPattern =
  /^(?:(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+|\[(?:[0-9A-Fa-f:.]+|v[0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\])(?::([0-9]{1,5}))?$/;

/** Whether the text is `host` or `host:port`. */
export function isAuthority(text: string): boolean {
  const port = authorityPattern.exec(text)?.[1];
  if (port !== undefined) return Number(port) <= 65535;
  return authorityPattern.test(text);
}

function isHostAndPort(text: string): boolean {
  const port = authorityPattern.exec(text)?.[1];
  return port !== undefined && Number(port) <= 65535 && Number(port) > 0;
}

/** Whether every byte may stand in a request target. */
export function isTargetText(target: string): boolean {
  return targetPattern.test(target);
}

/** Takes apart a target that does not begin with a slash: everything but the origin form. */
export function parseSpecialTarget(method: string, target: string): RequestTarget | Http1Error {
  if (method === 'CONNECT') {
    if (!isHostAndPort(target)) return http1Error.bad_target_form;
    return { form: 'authority', path: '', authority: target, scheme: null };
  }
  if (target === '*') {
    if (method !== 'OPTIONS') return http1Error.bad_target_form;
    return { form: 'asterisk', path: '*', authority: null, scheme: null };
  }
  return parseAbsoluteTarget(method, target);
}

function parseAbsoluteTarget(method: string, target: string): RequestTarget | Http1Error {
  const parts = absolutePattern.exec(target);
  if (parts === null) return http1Error.bad_target_form;
  const [, scheme = '', authority = '', rest = ''] = parts;
  if (!isAuthority(authority)) return http1Error.bad_authority;
  if (!/^https?$/i.test(scheme)) return http1Error.bad_target_form;
  let path = rest.startsWith('/') ? rest : `/${rest}`;
  // RFC 9112 §3.2.4: OPTIONS of an absolute URI without path and query asks about the server as a whole.
  if (method === 'OPTIONS' && rest === '') path = '*';
  return { form: 'absolute', path, authority, scheme: scheme.toLowerCase() };
}
