// What a Secret holds for TLS, under the names that Kubernetes and Istio give it, and whether it is usable.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Secret } from '@weft/api/resource/secret';
import { messageOf } from '@weft/lib/error';

/** PEM texts of a secret; null where it has none. */
export interface TlsMaterial {
  readonly certificate: string | null;
  readonly key: string | null;
  readonly authorities: string | null;
}

/** `tls.crt`, `tls.key`, `ca.crt`, or `cert`, `key`, `cacert`. */
export function tlsMaterialOf(secret: Secret): TlsMaterial {
  const read = (...names: readonly string[]) => {
    const name = names.find((each) => secret.data?.[each] !== undefined);
    return name === undefined ? null : Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8');
  };
  return { certificate: read('tls.crt', 'cert'), key: read('tls.key', 'key'), authorities: read('ca.crt', 'cacert') };
}

/** Why certificate and key cannot be used together, or null. */
export function keyPairProblem(certificate: string, key: string): string | null {
  const parsed = parseFirst(certificate);
  if (typeof parsed === 'string') return `the certificate is no PEM certificate (${parsed})`;
  try {
    const privateKey = createPrivateKey(key);
    return parsed.checkPrivateKey(privateKey) ? null : 'the key does not belong to the certificate';
  } catch (thrown) {
    return `the key is no PEM private key without a pass phrase (${messageOf(thrown)})`;
  }
}

/** Why the text holds no certificate, or null. */
export function certificateProblem(text: string): string | null {
  const parsed = parseFirst(text);
  return typeof parsed === 'string' ? parsed : null;
}

/** When the first certificate of the text is valid; null when there is none. */
export function validityOf(text: string): { readonly fromMs: number; readonly toMs: number } | null {
  const parsed = parseFirst(text);
  return typeof parsed === 'string'
    ? null
    : { fromMs: parsed.validFromDate.getTime(), toMs: parsed.validToDate.getTime() };
}

function parseFirst(text: string): X509Certificate | string {
  try {
    return new X509Certificate(text);
  } catch (thrown) {
    return messageOf(thrown);
  }
}
