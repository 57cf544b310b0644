// Looks up the Secret that a `credentialName` means and says what it lacks for its use.

import type { Findings } from '../findings.ts';
import { referenceCodes } from '../issue-code.ts';
import type { MeshIndex } from '../mesh-index.ts';
import { didYouMean } from '../near-name.ts';
import { tlsMaterialOf } from './key-pair.ts';

/** `mutual` needs a key pair and authorities, from the secret itself or from one called NAME-cacert. */
export type CredentialUse = 'key-pair' | 'authorities' | 'mutual';

/** Where a credential is looked for and what for. */
export interface CredentialQuery {
  readonly namespace: string;
  /** The namespace of a Gateway that has it, but whose proxies may not take it from there. */
  readonly refused?: string;
  readonly use: CredentialUse;
  readonly index: MeshIndex;
}

/** Adds a finding when the secret is missing or does not do. */
export function checkCredential(findings: Findings, path: string, name: string, query: CredentialQuery): void {
  const { world } = query.index;
  const secret = world.get('Secret', query.namespace, name);
  const authorities = world.get('Secret', query.namespace, `${name}-cacert`);
  if (secret === null) {
    const known = world.list('Secret').filter((each) => each.origin.namespace === query.namespace);
    const hint = didYouMean(
      name,
      known.map((each) => each.object.metadata.name),
    );
    const refused = query.refused === undefined ? hint : refusal(query.refused, name, query.index);
    const message = `There is no Secret ${query.namespace}/${name}, so TLS cannot be served here; create it.${refused}`;
    if (authorities === null || query.use !== 'authorities') findings.add(referenceCodes.missingSecret, path, message);
    return;
  }
  const held = tlsMaterialOf(secret.object);
  if (query.use !== 'authorities' && (held.certificate === null || held.key === null)) {
    findings.add(referenceCodes.unusableSecret, path, `Secret ${query.namespace}/${name} has no tls.crt and tls.key.`);
  }
  if (query.use === 'key-pair' || held.authorities !== null) return;
  if (authorities !== null && tlsMaterialOf(authorities.object).authorities !== null) return;
  const message = `Neither Secret ${query.namespace}/${name} nor ${name}-cacert has ca.crt, which this TLS mode needs to verify the peer.`;
  findings.add(referenceCodes.unusableSecret, path, message);
}

function refusal(namespace: string, name: string, index: MeshIndex): string {
  const roots = index.context.rootNamespaces.join(' or ');
  return ` Secret ${namespace}/${name} does not count: outside of ${roots}, a gateway is given secrets of its own namespace only.`;
}
