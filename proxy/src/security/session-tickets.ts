// Keys of the tickets by which clients resume their TLS sessions, and what such a session is worth.

import type { envoy } from '@weft/api/xds/types';
import { nodeCrypto } from '@weft/lib/lazy-node';
import { encodeMessage } from '@weft/lib/protobuf/codec';
import type { TrustMaterial } from './secret.ts';

type DownstreamTlsContext = envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;

/** A secret of this process alone, for contexts that configure none; all its threads have the same one. */
export function makeTicketSecret(): Buffer {
  return nodeCrypto().randomBytes(32);
}

/** What one context makes of it: the same in every thread, another one once the context changes. */
export function ticketSecretOf(secret: Buffer, context: DownstreamTlsContext): Buffer {
  const bytes = encodeMessage('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', context);
  return nodeCrypto().createHmac('sha256', secret).update(bytes).digest();
}

/**
 * What a session stands for, in the 32 characters that OpenSSL has for it: a resumed session is not verified again, so one that began
 * under other roots, or where no certificate was asked for, must not open this door. Certificates of our own may change meanwhile.
 */
export function sessionContext(trust: TrustMaterial | null, requiresCertificate: boolean): string {
  const rules = {
    requiresCertificate,
    rootsPem: trust?.rootsPem,
    useSystemRoots: trust?.useSystemRoots,
    crlPem: trust?.crlPem,
    acceptUntrusted: trust?.acceptUntrusted,
    isVerified: trust !== null,
  };
  return nodeCrypto().createHash('sha256').update(JSON.stringify(rules)).digest('hex').slice(0, 32);
}

/** OpenSSL's 48 bytes (a name, a key for the tag, a key for the content) from a secret of any length. */
export function ticketKeys(secret: Buffer, context: string): Buffer {
  return Buffer.from(nodeCrypto().hkdfSync('sha256', secret, context, 'weft session tickets', 48));
}
