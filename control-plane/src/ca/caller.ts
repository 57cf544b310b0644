// Who calls: by the certificate of its connection, or by the join token that it carries.

import type { Metadata, ServerUnaryCall } from '@grpc/grpc-js';
import type { Clock } from '@weft/lib/clock';
import { type CertificateFacts, parseCertificate } from '@weft/lib/x509/certificate';
import { parseSpiffeId, type SpiffeId } from '@weft/lib/x509/spiffe';
import type { JoinTokens } from './join-tokens.ts';

/** What a call says about its connection and its headers. */
type Call = Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext' | 'metadata'>;

/** A caller known by its certificate. */
export interface CertifiedCaller {
  readonly spiffeId: string;
  readonly id: SpiffeId;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** Lower-case hex. */
  readonly serial: string;
}

/** Tells callers apart for every service of the control plane's port. */
export class CallerIdentity {
  private readonly trustDomain: string;
  private readonly tokens: JoinTokens;
  private readonly clock: Clock;

  constructor(trustDomain: string, tokens: JoinTokens, clock: Clock) {
    this.trustDomain = trustDomain;
    this.tokens = tokens;
    this.clock = clock;
  }

  /** The verified identity of the connection, or null. The join token behind its certificate dies here. */
  byCertificate(call: Pick<Call, 'getAuthContext'>): CertifiedCaller | null {
    const facts = shownCertificate(call);
    if (facts === null || facts.notAfterMs <= this.clock.wallMs()) return null;
    // A SPIFFE certificate has exactly one URI; two would leave open which of them is meant.
    const [uri] = facts.names.uris;
    const id = uri === undefined || facts.names.uris.length > 1 ? null : parseSpiffeId(uri);
    if (uri === undefined || id === null || id.trustDomain !== this.trustDomain) return null;
    this.tokens.confirm(facts.serial);
    return { spiffeId: uri, id, expiresAt: new Date(facts.notAfterMs).toISOString(), serial: facts.serial };
  }

  /** The identity behind a bearer token and the token's hash, or why there is none. */
  byToken(
    call: Pick<Call, 'metadata'>,
  ): { readonly id: SpiffeId; readonly hash: string } | { readonly reason: string } {
    const token = bearerOf(call.metadata);
    if (token === null) return { reason: 'the call has neither a verified client certificate nor a bearer token' };
    const verdict = this.tokens.verify(token);
    if ('reason' in verdict) return verdict;
    const id = parseSpiffeId(verdict.identity);
    if (id !== null && id.trustDomain === this.trustDomain) return { id, hash: verdict.hash };
    return {
      reason: `the join token is for "${verdict.identity}", which is not of the trust domain ${this.trustDomain}`,
    };
  }
}

/** gRPC's auth context holds a certificate only where its chain verified. */
function shownCertificate(call: Pick<Call, 'getAuthContext'>): CertificateFacts | null {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  if (raw === undefined) return null;
  try {
    return parseCertificate(raw);
  } catch {
    return null;
  }
}

function bearerOf(metadata: Metadata): string | null {
  const values = metadata.get('authorization');
  const match = values.length === 1 ? /^bearer +(\S+)$/i.exec(String(values[0])) : null;
  return match?.[1] ?? null;
}
