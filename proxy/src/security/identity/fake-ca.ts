// A certificate authority for tests: real TLS and gRPC on loopback, answers by script.

import { once } from 'node:events';
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { decodeMessage, encodeMessage } from '@weft/lib/protobuf/codec';
import { parseCertificate } from '@weft/lib/x509/certificate';
import { DER, DerReader } from '@weft/lib/x509/der-reader';
import { parsePem } from '@weft/lib/x509/pem';
import { makeSampleCertificate, makeSampleRoot, type SampleCertificate } from '@weft/lib/x509/sample-certificate';

/** What one request showed. */
export interface SeenRequest {
  readonly authorization: string;
  /** URI of the verified client certificate, or empty. */
  readonly caller: string;
  readonly publicKeyDer: Buffer;
  readonly ttlSeconds: number;
}

/** A chain in PEM, or a gRPC status with its words. */
export type Answer = readonly string[] | { readonly code: number; readonly message: string };

export const controlPlaneId = 'spiffe://cluster.local/ns/istio-system/sa/istiod';

/** Serves until closed. `answer` may be changed between requests. */
export class FakeCa {
  readonly root: SampleCertificate;
  readonly seen: SeenRequest[] = [];
  answer: (request: SeenRequest) => Answer;
  port = 0;
  private readonly server: Http2SecureServer;
  private readonly sessions: Set<ServerHttp2Session> = new Set();

  constructor(root: SampleCertificate = makeSampleRoot(), issuer: SampleCertificate = root) {
    this.root = root;
    this.answer = () => ({ code: 14, message: 'no answer planned' });
    const own = makeSampleCertificate({ uris: [controlPlaneId], issuer });
    this.server = createSecureServer({
      cert: own.pem,
      key: own.keyPem,
      ca: root.pem,
      requestCert: true,
      rejectUnauthorized: false,
    });
    this.server.on('session', (session) => this.sessions.add(session));
    this.server.on('stream', (stream: ServerHttp2Stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => this.reply(stream, String(headers.authorization ?? ''), Buffer.concat(chunks)));
      stream.on('error', () => {});
    });
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  close(): void {
    for (const session of this.sessions) session.destroy();
    this.server.close();
  }

  private reply(stream: ServerHttp2Stream, authorization: string, body: Buffer): void {
    const request = decodeMessage('istio.v1.auth.IstioCertificateRequest', body.subarray(5));
    const socket = stream.session?.socket as TLSSocket | undefined;
    const der = socket?.authorized === true ? socket.getPeerX509Certificate()?.raw : undefined;
    const seen: SeenRequest = {
      authorization,
      caller: der === undefined ? '' : (parseCertificate(der).names.uris[0] ?? ''),
      publicKeyDer: requestedKey(request.csr ?? ''),
      ttlSeconds: Number(request.validityDuration ?? 0),
    };
    this.seen.push(seen);
    const answer = this.answer(seen);
    if ('code' in answer) {
      stream.respond(
        { ':status': 200, 'grpc-status': String(answer.code), 'grpc-message': answer.message },
        { endStream: true },
      );
      return;
    }
    const message = encodeMessage('istio.v1.auth.IstioCertificateResponse', { certChain: answer });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.concat([head, message]));
  }
}

/** The SubjectPublicKeyInfo inside a request (RFC 2986 §4.1). */
function requestedKey(pem: string): Buffer {
  const der = parsePem(pem)[0]?.der ?? Buffer.alloc(0);
  const info = new DerReader(der).enter('request', DER.SEQUENCE).enter('info', DER.SEQUENCE);
  info.next('version', DER.INTEGER);
  info.next('subject', DER.SEQUENCE);
  const key = info.next('key', DER.SEQUENCE);
  return der.subarray(key.start, key.end);
}
