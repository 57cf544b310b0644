// SPIFFE ids in the shape that Istio and Weft use: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.

/** A workload's identity by its parts. */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const idPattern = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/;
const trustDomainPattern = /^[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9])?$/;
// Kubernetes names: lower-case letters, digits, `-` and, in service accounts, `.`.
const segmentPattern = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** The parts, or null for text that is no workload identity (no query, port, empty part, upper case or dot segment passes). */
export function parseSpiffeId(text: string): SpiffeId | null {
  const match = idPattern.exec(text);
  if (match === null) return null;
  const [, trustDomain = '', namespace = '', serviceAccount = ''] = match;
  const id = { trustDomain, namespace, serviceAccount };
  return isValidSpiffeId(id) ? id : null;
}

/** Whether every part may stand in an identity. */
export function isValidSpiffeId(id: SpiffeId): boolean {
  return (
    isValidTrustDomain(id.trustDomain) && segmentPattern.test(id.namespace) && segmentPattern.test(id.serviceAccount)
  );
}

/** Whether the text may be a trust domain, such as `cluster.local`. */
export function isValidTrustDomain(text: string): boolean {
  return trustDomainPattern.test(text) && !text.includes('..');
}

/** `spiffe://cluster.local/ns/default/sa/reviews`. */
export function formatSpiffeId(id: SpiffeId): string {
  return `spiffe://${id.trustDomain}/ns/${id.namespace}/sa/${id.serviceAccount}`;
}
