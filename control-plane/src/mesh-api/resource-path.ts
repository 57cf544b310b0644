// Kubernetes REST paths of resources: /api/v1/… and /apis/GROUP/VERSION/….

import { type KindInfo, kinds } from '@weft/api/resource/kind';

/** What a path names. */
export interface ResourcePath {
  readonly info: KindInfo;
  readonly version: string;
  /** Null: all namespaces, or a kind without them. */
  readonly namespace: string | null;
  readonly name: string | null;
  readonly isStatus: boolean;
}

/** Null when the path is none of a resource that Weft has. */
export function parseResourcePath(path: string): ResourcePath | null {
  const [root, ...parts] = path.split('/').slice(1);
  if (root === 'api') return parseBelow('', parts);
  return root === 'apis' ? parseBelow(parts[0] ?? '', parts.slice(1)) : null;
}

function parseBelow(group: string, parts: readonly string[]): ResourcePath | null {
  const [version = '', ...rest] = parts;
  // `namespaces/NAME` alone is the Namespace itself, `namespaces/NAME/PLURAL` is something within.
  const isWithin = rest[0] === 'namespaces' && rest.length >= 3 && rest[2] !== 'status';
  const namespace = isWithin ? (rest[1] ?? '') : null;
  const [plural, name = null, subresource = null, ...more] = isWithin ? rest.slice(2) : rest;
  const info = kinds.find((each) => each.group === group && each.plural === plural && each.versions.includes(version));
  if (info === undefined || more.length > 0 || (subresource !== null && subresource !== 'status')) return null;
  if (name === '' || namespace === '' || info.namespaced !== isWithin) {
    // A namespaced kind without a namespace can only be listed.
    if (!info.namespaced || isWithin || name !== null) return null;
  }
  return { info, version, namespace, name, isStatus: subresource === 'status' };
}
