// Proxies in processes of their own in front of a gRPC server: one that speaks plaintext on both sides, or two with mutual TLS between.

import type { TestContext } from 'node:test';
import { makeSampleCertificate, makeSampleRoot, type SampleCertificate } from '@weft/lib/x509/sample-certificate';
import { cluster, http2Only, httpManager, listener, routeTo } from '../../feature/proxy/fixture.ts';
import { type ProxyProcess, startProxyProcess } from '../../feature/proxy/process.ts';

type Scope = Pick<TestContext, 'after'>;

/** A way to the server. */
export interface Topology {
  readonly name: string;
  /** Resolves with the port that callers use. */
  start(scope: Scope, serverPort: number): Promise<number>;
}

const transport = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';

function workload(root: SampleCertificate, name: string): SampleCertificate {
  const uri = `spiffe://cluster.local/ns/default/sa/${name}`;
  return makeSampleCertificate({ uris: [uri], dnsNames: ['localhost'], issuer: root });
}

function tlsContext(root: SampleCertificate, own: SampleCertificate): object {
  return {
    alpn_protocols: ['h2'],
    tls_certificates: [{ certificate_chain: { inline_string: own.pem }, private_key: { inline_string: own.keyPem } }],
    validation_context: { trusted_ca: { inline_string: root.pem } },
  };
}

function clientTls(root: SampleCertificate): object {
  const typed_config = {
    '@type': `${transport}.UpstreamTlsContext`,
    sni: 'localhost',
    common_tls_context: tlsContext(root, workload(root, 'client')),
  };
  return { transport_socket: { name: 'envoy.transport_sockets.tls', typed_config } };
}

function serverTls(root: SampleCertificate): object {
  const typed_config = {
    '@type': `${transport}.DownstreamTlsContext`,
    require_client_certificate: true,
    common_tls_context: tlsContext(root, workload(root, 'server')),
  };
  return { name: 'envoy.transport_sockets.tls', typed_config };
}

/** As a mesh has it: no time-outs but what callers ask for. */
const routes = [routeTo('next', { timeout: '0s', max_grpc_timeout: '0s' })];
const streams = { manager: { stream_idle_timeout: '0s' } };

async function startProxy(scope: Scope, listeners: object[], nextPort: number, more: object = {}): Promise<number> {
  const clusters = [cluster('next', [nextPort], { ...http2Only, ...more })];
  const proxy: ProxyProcess = await startProxyProcess(scope, { listeners, clusters });
  return proxy.port('main');
}

const plain = () => [listener('main', httpManager(routes, streams))];

function secured(root: SampleCertificate): object[] {
  const made = listener('main', httpManager(routes, streams)) as { readonly filter_chains: readonly object[] };
  const filter_chains = made.filter_chains.map((chain) => ({ ...chain, transport_socket: serverTls(root) }));
  return [{ ...made, filter_chains }];
}

export const topologies: readonly Topology[] = [
  { name: 'plaintext', start: (scope, serverPort) => startProxy(scope, plain(), serverPort) },
  {
    name: 'mutual TLS between two proxies',
    start: async (scope, serverPort) => {
      const root = makeSampleRoot();
      const inbound = await startProxy(scope, secured(root), serverPort);
      return startProxy(scope, plain(), inbound, clientTls(root));
    },
  },
];
