// What is known of one connection besides its bytes: addresses, TLS, the peer's identity. Made once per connection, read by
// filters, policies and the access log.

import type { JsonObject } from '@weft/api/xds/types';
import type { Origin } from '@weft/lib/issue';
import type { ProxyTlv } from '../protocol/proxy-protocol/header.ts';

/** Which resources stand behind a listener: what it is there for, and the policies that it enforces. */
export interface ListenerOrigins {
  readonly listener: Origin | null;
  /** By the names of their RBAC policies. */
  readonly policies: ReadonlyMap<string, Origin>;
  /** Policies one of which has to allow what is not refused otherwise. */
  readonly allowPolicies: readonly Origin[];
}

/** A listener as explanations see it: always by the configuration in force. */
export interface ListenerView {
  readonly origins: ListenerOrigins;
}

/** The verified certificate of the peer, by its parts. */
export interface PeerCertificate {
  /** `spiffe://...` and other URI names, in order. */
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  /** RFC 2253 text. */
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  /** SHA-256 of the DER, lower-case hex. */
  readonly hash: string;
  /** PEM, URL-encoded when it goes into `x-forwarded-client-cert`. */
  readonly pem: string;
  /** PEM of the chain that the peer showed, the certificate itself first; absent where only that is known. */
  readonly chainPem?: string;
}

/** One end of a connection. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface ConnectionInfo {
  /** Process-wide number. */
  readonly id: number;
  /** Whom the connection is for: the peer, or who a PROXY protocol header says that it carries. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Our end of the socket itself, where a redirection makes that another than the local address. */
  readonly directLocalAddress?: string;
  readonly directLocalPort?: number;
  /** Who sent the packets, whatever a header says. */
  readonly directRemoteAddress: string;
  readonly directRemotePort: number;
  /** What came in the PROXY protocol header and may go on to the upstream side. */
  tlvs: readonly ProxyTlv[];
  /** By namespace and key, or null: what listener filters found out. */
  metadata: JsonObject | null;
  /** The destination before redirection, `ip:port` or `host:port`, or null: from the kernel or from a CONNECT authority. */
  originalDestination: string | null;
  /** Envoy's word: `raw_buffer` or `tls`. */
  transportProtocol: 'raw_buffer' | 'tls';
  /** SNI in small letters, as Envoy: policies compare it letter by letter. Empty when none. */
  serverName: string;
  /** Negotiated ALPN protocol, empty when none. */
  alpn: string;
  /** Present only when the peer's certificate was verified. */
  peer: PeerCertificate | null;
  /** URI SANs of our own certificate, for `x-forwarded-client-cert` (`By=`). */
  ownUriSans: readonly string[];
  tlsVersion: string;
  tlsCipher: string;
  /** What took the connection; null where nothing did yet. */
  listener: ListenerView | null;
  /** Notes that it is carried for other ends than its own. */
  carry(remote: Endpoint, local: Endpoint): void;
  /** Has the addresses told also when it is closed: a socket tells them only while it is open. */
  keepAddresses?(): void;
  /** Calls back when it is closed. */
  whenOver(callback: () => void): void;
  setMetadata(namespace: string, key: string, value: string): void;
}
