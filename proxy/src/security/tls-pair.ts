// Two ends of TLS on loopback, for tests: a listener around a compiled context that reports each handshake.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { TestContext } from 'node:test';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { envoy } from '@weft/api/xds/types';
import { systemClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { makeSampleCertificate, type SampleCertificate, type SampleOptions } from '@weft/lib/x509/sample-certificate';
import type { DownstreamTls } from './downstream-tls.ts';
import type { VerifiedPeer } from './peer.ts';
import { SecretSet } from './secret-set.ts';
import { compileUpstreamTls } from './upstream-tls.ts';

type TlsCertificate = envoy.extensions.transport_sockets.tls.v3.TlsCertificate;

/** How one handshake ended at the server. */
export interface HandshakeOutcome {
  readonly socket: TLSSocket | null;
  readonly peer: VerifiedPeer | null;
  /** Empty when it succeeded. */
  readonly reason: string;
}

/** A listening server that hands every connection to the context and keeps the outcomes in order. */
export class TlsTestServer {
  tls: DownstreamTls;
  readonly server: Server;
  private readonly outcomes: HandshakeOutcome[] = [];
  private readonly waiting: ((outcome: HandshakeOutcome) => void)[] = [];

  constructor(tls: DownstreamTls) {
    this.tls = tls;
    this.server = createServer((socket) => {
      this.tls.accept(socket, {
        onSecure: (secure, peer) => {
          secure.on('error', () => {});
          this.report({ socket: secure, peer, reason: '' });
        },
        onHandshakeFailed: (reason) => this.report({ socket: null, peer: null, reason }),
      });
    });
  }

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  /** The next outcome, whether it is there already or not. */
  next(): Promise<HandshakeOutcome> {
    const ready = this.outcomes.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  close(): void {
    this.server.close();
  }

  private report(outcome: HandshakeOutcome): void {
    const waiter = this.waiting.shift();
    if (waiter === undefined) this.outcomes.push(outcome);
    else waiter(outcome);
  }
}

/** The message form of a sample. */
export function inlineCertificate(sample: SampleCertificate): TlsCertificate {
  return { certificateChain: { inlineString: sample.pem }, privateKey: { inlineString: sample.keyPem } };
}

/** A workload's certificate by its identity. */
export function makeWorkload(
  issuer: SampleCertificate,
  account: string,
  options: SampleOptions = {},
): SampleCertificate {
  return makeSampleCertificate({ uris: [`spiffe://cluster.local/ns/default/sa/${account}`], issuer, ...options });
}

/** Whether a cluster with these rules takes a server that shows that chain. */
export async function takesServer(
  context: TestContext,
  validationContext: envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext,
  chain: { readonly cert: string; readonly key: string },
): Promise<boolean> {
  const server = createTlsServer(chain, (socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const issues: Issue[] = [];
  const tls = compileUpstreamTls({ commonTlsContext: { validationContext } }, new SecretSet(systemClock), issues, 't');
  assert.deepEqual(issues, []);
  assert.ok(tls);
  const socket = tls.connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  context.after(() => socket.destroy());
  return new Promise((resolve) => {
    socket.once('secureConnect', () => resolve(!socket.destroyed));
    socket.on('error', () => resolve(false));
  });
}
