// Node's TLS and cryptography, loaded when first used: a proxy without TLS does without the several megabytes that OpenSSL costs.

import { assert } from './assert.ts';

type Crypto = typeof import('node:crypto');
type Tls = typeof import('node:tls');

let crypto: Crypto | null = null;
let tls: Tls | null = null;

/** `node:crypto` */
export function nodeCrypto(): Crypto {
  if (crypto !== null) return crypto;
  const loaded: Crypto | undefined = process.getBuiltinModule('node:crypto');
  assert(loaded !== undefined, 'Node is built with node:crypto');
  crypto = loaded;
  return loaded;
}

/** `node:tls` */
export function nodeTls(): Tls {
  if (tls !== null) return tls;
  const loaded: Tls | undefined = process.getBuiltinModule('node:tls');
  assert(loaded !== undefined, 'Node is built with node:tls');
  tls = loaded;
  return loaded;
}
