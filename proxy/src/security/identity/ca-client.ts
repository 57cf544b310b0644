// Asks the mesh's certificate authority for a certificate: with the join token at first, with the current certificate later.

import { readFileSync } from 'node:fs';
import type { Clock } from '@weft/lib/clock';
import { WeftError } from '@weft/lib/error';
import { callUnary } from '@weft/lib/grpc/unary';
import { decodeMessage, encodeMessage } from '@weft/lib/protobuf/codec';
import type { SecretCell } from '../secret-set.ts';
import type { UpstreamNames, UpstreamTls } from '../upstream-tls.ts';

/** The authority's address and how to talk to it. */
export interface CaEndpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: UpstreamTls;
  readonly names: UpstreamNames;
}

/** By what the caller is known. */
export type Credential = { readonly tokenFile: string } | { readonly certificate: SecretCell };

const path = '/istio.v1.auth.IstioCertificateService/CreateCertificate';
const timeoutMs = 15_000;

/** The chain in PEM, leaf first; rejects with what went wrong. */
export async function requestCertificate(
  endpoint: CaEndpoint,
  credential: Credential,
  request: { readonly csr: string; readonly ttlSeconds: number },
  clock: Clock,
): Promise<readonly string[]> {
  const { host, port, names } = endpoint;
  const metadata = 'tokenFile' in credential ? { authorization: `Bearer ${readToken(credential.tokenFile)}` } : {};
  const tls = 'certificate' in credential ? endpoint.tls.presenting(credential.certificate) : endpoint.tls;
  const message: { csr: string; validityDuration?: number } = { csr: request.csr };
  if (request.ttlSeconds > 0) message.validityDuration = request.ttlSeconds;
  const answer = await callUnary({
    clock,
    open: () => tls.connect({ host, port }, names),
    authority: names.serverName ?? (tls.serverName || `${host}:${port}`),
    path,
    metadata,
    request: encodeMessage('istio.v1.auth.IstioCertificateRequest', message),
    timeoutMs,
  });
  return decodeMessage('istio.v1.auth.IstioCertificateResponse', answer).certChain ?? [];
}

function readToken(file: string): string {
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new WeftError(
      'WEFT0761',
      `the join token cannot be read from ${file}; start the proxy again with a new one`,
      {
        cause: error,
      },
    );
  }
  if (/^[\x21-\x7e]{1,16384}$/.test(token)) return token;
  throw new WeftError('WEFT0761', `${file} holds no join token; start the proxy again with a new one`);
}
