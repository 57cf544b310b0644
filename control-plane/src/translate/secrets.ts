// Secrets that a proxy may fetch over SDS: key pairs and roots that its own listeners and clusters name, and no others.

import type { World } from '../store/world.ts';
import type { Reach } from './reach.ts';
import type { Secret } from './snapshot.ts';

const scheme = 'kubernetes://';
/** Ends the name of a credential that is there for its roots. */
export const rootsSuffix = '-cacert';

type SecretData = Readonly<Record<string, string>>;

/** The SDS name of a credential in the proxy's own namespace: `kubernetes://name`. */
export function ownSecretName(credential: string): string {
  // No Secret has a slash in its name; here one would be taken for the end of a namespace.
  return `${scheme}${credential.replaceAll('/', '%2F')}`;
}

/** The same, or `kubernetes://namespace/name` when only the namespace of the Gateway has it and the proxy may look there. */
export function gatewaySecretName(credential: string, gatewayNamespace: string, reach: Reach): string {
  const { world } = reach.mesh;
  const own = reach.caller.namespace;
  const mayLook = mayRead(gatewayNamespace, reach) && !credential.includes('/');
  if (gatewayNamespace === own || !mayLook || findData(world, own, credential) !== null) {
    return ownSecretName(credential);
  }
  const isThere = findData(world, gatewayNamespace, credential) !== null;
  return isThere ? `${scheme}${gatewayNamespace}/${credential}` : ownSecretName(credential);
}

/**
 * Whoever calls itself a gateway has the labels that a Gateway selects, and so may any workload: only proxies of a namespace that
 * the mesh itself is run from are given secrets of other namespaces.
 */
function mayRead(namespace: string, { mesh, caller }: Reach): boolean {
  return namespace === caller.namespace || mesh.settings.rootNamespaces.includes(caller.namespace);
}

/** The secrets of these SDS names that exist. */
export function namedSecrets(names: Iterable<string>, reach: Reach): Secret[] {
  const secrets: Secret[] = [];
  for (const name of names) {
    if (!name.startsWith(scheme)) continue;
    const path = name.slice(scheme.length);
    const slash = path.indexOf('/');
    const namespace = slash < 0 ? reach.caller.namespace : path.slice(0, slash);
    if (!mayRead(namespace, reach)) continue;
    const secret = secretOf(name, path.slice(slash + 1), findData(reach.mesh.world, namespace, path.slice(slash + 1)));
    if (secret !== null) secrets.push(secret);
  }
  return secrets;
}

/** The data of a credential; `name-cacert` may also be the roots inside `name`. */
function findData(world: World, namespace: string, credential: string): SecretData | null {
  const exact = world.get('Secret', namespace, credential)?.object.data;
  if (exact !== undefined) return exact;
  if (!credential.endsWith(rootsSuffix)) return null;
  const data = world.get('Secret', namespace, credential.slice(0, -rootsSuffix.length))?.object.data;
  return data !== undefined && rootsOf(data) !== undefined ? data : null;
}

function rootsOf(data: SecretData): string | undefined {
  return data['ca.crt'] ?? data.cacert;
}

function secretOf(name: string, credential: string, data: SecretData | null): Secret | null {
  if (data === null) return null;
  if (credential.endsWith(rootsSuffix)) {
    const roots = rootsOf(data);
    return roots === undefined ? null : { name, validationContext: { trustedCa: { inlineBytes: decoded(roots) } } };
  }
  const chain = data['tls.crt'] ?? data.cert;
  const key = data['tls.key'] ?? data.key;
  if (chain === undefined || key === undefined) return null;
  return {
    name,
    tlsCertificate: { certificateChain: { inlineBytes: decoded(chain) }, privateKey: { inlineBytes: decoded(key) } },
  };
}

function decoded(base64: string): Uint8Array {
  return Buffer.from(base64, 'base64');
}
