// Secrets that a proxy may fetch over SDS: key pairs and roots that its own listeners and clusters name, and no others.

import type { World } from '../store/world.ts';
import type { Reach } from './reach.ts';
import type { Secret } from './snapshot.ts';

const scheme = 'kubernetes://';
const rootsSuffix = '-cacert';

type SecretData = Readonly<Record<string, string>>;

/**
 * The SDS name of a credential: `kubernetes://name` in the proxy's own namespace, `kubernetes://namespace/name` when only the
 * namespace of the Gateway has it.
 */
export function gatewaySecretName(credential: string, gatewayNamespace: string, reach: Reach): string {
  const { world } = reach.mesh;
  const own = reach.caller.namespace;
  if (gatewayNamespace === own || findData(world, own, credential) !== null) return `${scheme}${credential}`;
  const isThere = findData(world, gatewayNamespace, credential) !== null;
  return isThere ? `${scheme}${gatewayNamespace}/${credential}` : `${scheme}${credential}`;
}

/** The secrets of these SDS names that exist. */
export function namedSecrets(names: Iterable<string>, reach: Reach): Secret[] {
  const secrets: Secret[] = [];
  for (const name of names) {
    if (!name.startsWith(scheme)) continue;
    const path = name.slice(scheme.length);
    const slash = path.indexOf('/');
    const namespace = slash < 0 ? reach.caller.namespace : path.slice(0, slash);
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
