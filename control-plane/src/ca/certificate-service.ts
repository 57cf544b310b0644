// `istio.v1.auth.IstioCertificateService`: hands out certificates to callers that a certificate or a join token vouches for.

import {
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { istio } from '@weft/api/xds/types';
import { decodeMessage, encodeMessage } from '@weft/lib/protobuf/codec';
import { formatSpiffeId, type SpiffeId } from '@weft/lib/x509/spiffe';
import type { CaLog } from './ca-log.ts';
import type { CallerIdentity } from './caller.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { checkCsr } from './csr-check.ts';
import type { JoinTokens } from './join-tokens.ts';

type Request = istio.v1.auth.IstioCertificateRequest;
type Response = istio.v1.auth.IstioCertificateResponse;
type Call = ServerUnaryCall<Request, Response>;

const requestType = 'istio.v1.auth.IstioCertificateRequest';
const responseType = 'istio.v1.auth.IstioCertificateResponse';

/** To be given to `server.addService` with `certificateServiceImplementation`. */
export const certificateServiceDefinition: ServiceDefinition = {
  CreateCertificate: {
    path: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
    requestStream: false,
    responseStream: false,
    requestSerialize: (request: Request) => Buffer.from(encodeMessage(requestType, request)),
    requestDeserialize: (bytes: Buffer) => decodeMessage(requestType, bytes),
    responseSerialize: (response: Response) => Buffer.from(encodeMessage(responseType, response)),
    responseDeserialize: (bytes: Buffer) => decodeMessage(responseType, bytes),
  },
};

/** The parts that the service ties together. */
export interface CertificateServiceParts {
  readonly authority: CertificateAuthority;
  readonly callers: CallerIdentity;
  readonly tokens: JoinTokens;
  readonly log: CaLog;
}

/** Who asks, and the token it used, if it was one. */
interface Authenticated {
  readonly id: SpiffeId;
  readonly tokenHash: string | null;
}

export function certificateServiceImplementation(parts: CertificateServiceParts): UntypedServiceImplementation {
  return {
    CreateCertificate: (call: Call, reply: sendUnaryData<Response>) => {
      createCertificate(parts, call, reply).catch((error: unknown) => {
        parts.log.error({ err: error }, 'issuing a certificate failed');
        reply({
          code: status.INTERNAL,
          details: 'issuing the certificate failed; the log of the control plane says why',
        });
      });
    },
  };
}

async function createCertificate(
  parts: CertificateServiceParts,
  call: Call,
  reply: sendUnaryData<Response>,
): Promise<void> {
  const caller = authenticate(parts, call);
  if (typeof caller === 'string') {
    parts.log.warn({ reason: caller, peer: call.getPeer() }, 'certificate request refused');
    reply({ code: status.UNAUTHENTICATED, details: caller });
    return;
  }
  const csr = await checkCsr(call.request.csr ?? '');
  if (typeof csr === 'string') {
    parts.log.warn({ reason: csr, identity: formatSpiffeId(caller.id) }, 'certificate request refused');
    reply({ code: status.INVALID_ARGUMENT, details: csr });
    return;
  }
  reply(null, { certChain: await issue(parts, caller, csr.publicKeyDer, call.request) });
}

function authenticate(parts: CertificateServiceParts, call: Call): Authenticated | string {
  const certified = parts.callers.byCertificate(call);
  if (certified !== null) return { id: certified.id, tokenHash: null };
  const byToken = parts.callers.byToken(call);
  return 'reason' in byToken ? byToken.reason : { id: byToken.id, tokenHash: byToken.hash };
}

async function issue(
  parts: CertificateServiceParts,
  caller: Authenticated,
  publicKeyDer: Buffer,
  request: Request,
): Promise<string[]> {
  const { authority, tokens, log } = parts;
  const seconds = Number(request.validityDuration ?? 0);
  const issued = await authority.issue({ id: caller.id, publicKeyDer, ttlMs: seconds > 0 ? seconds * 1000 : null });
  // Noted before it leaves, so that its first use is recognised even after a crash in between.
  if (caller.tokenHash !== null) tokens.recordIssued(caller.tokenHash, issued.serial);
  const expires = new Date(issued.notAfterMs).toISOString();
  const by = caller.tokenHash === null ? 'certificate' : 'join token';
  log.info({ identity: formatSpiffeId(caller.id), serial: issued.serial, expires, by }, 'certificate issued');
  return [issued.pem, ...authority.intermediates, authority.trustBundle];
}
