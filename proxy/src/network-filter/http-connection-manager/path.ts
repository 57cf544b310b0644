// Path normalisation, once, before routing and authorization, so that both see the same path (RFC 3986 §6.2.2).

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
    path = removeDotSegments(escapeUnsafe(decodeUnreserved(path)).replaceAll('\\', '/'));
  }
  if (policy.mergesSlashes && path.includes('//')) path = path.replace(/\/{2,}/g, '/');
  return { path: path + query, redirect };
}

// What a path should hold in escaped form only (RFC 3986 §2), though clients send it bare.
const unsafePattern = /["<>^`{|}]/;
const everyUnsafe = new RegExp(unsafePattern, 'g');

function needsNormalization(path: string): boolean {
  return path.includes('%') || path.includes('/.') || path.includes('\\') || unsafePattern.test(path);
}

// RFC 3986 §2.3: escapes of unreserved bytes stand for the bytes themselves. Others stay as they are: as Envoy, their case too.
function decodeUnreserved(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (escaped, hex: string) => {
    const text = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(text) ? text : escaped;
  });
}

function escapeUnsafe(path: string): string {
  return path.replace(everyUnsafe, (text) => `%${text.charCodeAt(0).toString(16).toUpperCase()}`);
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
