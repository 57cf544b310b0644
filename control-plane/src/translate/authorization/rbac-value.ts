// Values of AuthorizationPolicies as matchers: exact, `prefix*`, `*suffix`, `*` for presence.

import { isIP } from 'node:net';
import type { envoy } from '@weft/api/xds/types';
import { escapeRegex } from '../message.ts';

type StringMatcher = envoy.type.matcher.v3.StringMatcher;
type HeaderMatcher = envoy.config.route.v3.HeaderMatcher;
type Principal = envoy.config.rbac.v3.Principal;
type CidrRange = envoy.config.core.v3.CidrRange;

function valueMatcher(value: string): StringMatcher {
  if (value.startsWith('*')) return { suffix: value.slice(1) };
  return value.endsWith('*') ? { prefix: value.slice(0, -1) } : { exact: value };
}

/** A header with this value; `*` for any. */
export function headerMatcher(name: string, value: string): HeaderMatcher {
  return value === '*' ? { name, presentMatch: true } : { name, stringMatch: valueMatcher(value) };
}

/** Hosts are compared without regard to case. */
export function hostMatcher(value: string): HeaderMatcher {
  if (value === '*') return { name: ':authority', presentMatch: true };
  return { name: ':authority', stringMatch: { ...valueMatcher(value), ignoreCase: true } };
}

export function methodMatcher(value: string): HeaderMatcher {
  return headerMatcher(':method', value);
}

/** Paths also have templates: `{*}` for one segment, `{**}` for any number. */
export function pathMatcher(value: string): envoy.type.matcher.v3.PathMatcher {
  if (value === '*') return { path: { safeRegex: { regex: '.+' } } };
  if (!value.includes('{*')) return { path: valueMatcher(value) };
  const parts = value.split(/(\{\*\*\}|\{\*\})/);
  const regex = parts.map((part) => (part === '{*}' ? '[^/]+' : part === '{**}' ? '.*' : escapeRegex(part))).join('');
  return { path: { safeRegex: { regex } } };
}

export function sniMatcher(value: string): StringMatcher {
  return value === '*' ? { safeRegex: { regex: '.+' } } : valueMatcher(value);
}

function authenticated(principalName: StringMatcher): Principal {
  return { authenticated: { principalName } };
}

const anyIdentity: StringMatcher = { prefix: 'spiffe://' };

/** What policies call the mesh's own trust domain, whatever its name is. */
const ownTrustDomain = 'cluster.local/';

/** `cluster.local/ns/default/sa/reviews`, with `*` in front, behind, or alone for every authenticated caller. */
export function identityMatcher(value: string, trustDomain: string): Principal {
  if (value === '*') return authenticated(anyIdentity);
  // What stands behind `*` may begin anywhere, hence no `spiffe://` in front of it.
  if (value.startsWith('*')) return authenticated({ suffix: value.slice(1) });
  const isOwn = value.startsWith(ownTrustDomain);
  const identity = isOwn ? `${trustDomain}/${value.slice(ownTrustDomain.length)}` : value;
  return authenticated(valueMatcher(`spiffe://${identity}`));
}

/** Callers of a namespace. Neither trust domains nor accounts hold a slash, so the part cannot be faked by another. */
export function namespaceMatcher(value: string): Principal {
  if (!value.includes('*')) return authenticated({ contains: `/ns/${value}/` });
  const regex = value.split('*').map(escapeRegex).join('[^/]*');
  return authenticated({ safeRegex: { regex: `spiffe://[^/]+/ns/${regex}/sa/.*` } });
}

/** `account` of the policy's namespace, or `namespace/account`. */
export function serviceAccountMatcher(value: string, policyNamespace: string): Principal {
  const slash = value.indexOf('/');
  const namespace = slash < 0 ? policyNamespace : value.slice(0, slash);
  return authenticated({ suffix: `/ns/${namespace}/sa/${value.slice(slash + 1)}` });
}

export function trustDomainMatcher(value: string): Principal {
  if (value === '*') return authenticated(anyIdentity);
  if (value.startsWith('*')) {
    return authenticated({ safeRegex: { regex: `spiffe://[^/]*${escapeRegex(value.slice(1))}/.*` } });
  }
  return authenticated({ prefix: `spiffe://${value.endsWith('*') ? value.slice(0, -1) : `${value}/`}` });
}

/** An address or a block; null when it is neither. */
export function parseCidr(block: string): CidrRange | null {
  const [addressPrefix = '', length] = block.split('/');
  const family = isIP(addressPrefix);
  if (family === 0) return null;
  const widest = family === 4 ? 32 : 128;
  const prefixLen = length === undefined ? widest : Number(length);
  return Number.isInteger(prefixLen) && prefixLen >= 0 && prefixLen <= widest ? { addressPrefix, prefixLen } : null;
}
