// Secrets that the process made itself, the workload's identity, in the form in which the configuration pages show secrets.

import { packAny } from '@weft/lib/protobuf/codec';
import type { Secret } from '../security/secret.ts';
import type { ResourceDump } from './state.ts';

/** The certificate and the roots of the identity; the key was never anywhere but in memory, and is not here. */
export function dumpIdentity(secrets: readonly Secret[]): ResourceDump[] {
  return secrets.filter((secret) => secret.version === 'identity').map(dumpSecret);
}

function dumpSecret(secret: Secret): ResourceDump {
  const { name, certificate, trust, updatedWallMs } = secret;
  const inline = (pem: string) => ({ inlineBytes: Buffer.from(pem) });
  return {
    name,
    stage: 'active',
    resource: packAny('envoy.extensions.transport_sockets.tls.v3.Secret', {
      name,
      ...(certificate === null ? {} : { tlsCertificate: { certificateChain: inline(certificate.chainPem) } }),
      ...(trust === null ? {} : { validationContext: { trustedCa: inline(trust.rootsPem ?? '') } }),
    }),
    version: certificate === null ? 'identity' : certificate.leaf.serial,
    updatedWallMs,
    clientStatus: 'UNKNOWN',
    refused: null,
  };
}
