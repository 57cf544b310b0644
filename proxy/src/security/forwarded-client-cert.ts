// `x-forwarded-client-cert`: tells the upstream who the client was, and keeps clients from saying it themselves.

import type { envoy } from '@weft/api/xds/types';
import { assert } from '@weft/lib/assert';
import type { Headers } from '@weft/lib/header';
import type { ConnectionInfo, PeerCertificate } from '../io/connection-info.ts';

type ManagerConfig = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;

const headerName = 'x-forwarded-client-cert';

type Mode = 'sanitize' | 'forward-only' | 'append-forward' | 'sanitize-set';

const modes: Readonly<Record<string, Mode>> = {
  SANITIZE: 'sanitize',
  FORWARD_ONLY: 'forward-only',
  APPEND_FORWARD: 'append-forward',
  SANITIZE_SET: 'sanitize-set',
};

/** What is done to the header, and what is said about the client. */
export interface ForwardedClientCert {
  readonly mode: Mode;
  readonly details: Readonly<Record<'cert' | 'chain' | 'subject' | 'uri' | 'dns', boolean>>;
  /** The element of each connection's peer, made by its first request. */
  readonly elements: WeakMap<PeerCertificate, string>;
}

/** Null for ALWAYS_FORWARD_ONLY, which leaves the header alone. */
export function compileForwardedClientCert(config: ManagerConfig): ForwardedClientCert | null {
  const name = config.forwardClientCertDetails ?? 'SANITIZE';
  if (name === 'ALWAYS_FORWARD_ONLY') return null;
  const wanted = config.setCurrentClientCertDetails ?? {};
  return {
    // A number that this version does not know gets the safest treatment.
    mode: modes[String(name)] ?? 'sanitize',
    details: {
      cert: wanted.cert === true,
      chain: wanted.chain === true,
      subject: wanted.subject === true,
      uri: wanted.uri === true,
      dns: wanted.dns === true,
    },
    elements: new WeakMap(),
  };
}

/** Brings a request's header in line. Without a verified client certificate nothing may be claimed, so the header goes. */
export function applyForwardedClientCert(compiled: ForwardedClientCert, info: ConnectionInfo, headers: Headers): void {
  const { peer } = info;
  if (compiled.mode === 'sanitize' || peer === null) {
    headers.remove(headerName);
    return;
  }
  if (compiled.mode === 'forward-only') return;
  const element = elementOf(compiled, peer, info.ownUriSans);
  const earlier = compiled.mode === 'append-forward' ? headers.getAll(headerName) : [];
  headers.set(headerName, earlier.length === 0 ? element : `${earlier.join(',')},${element}`);
}

function elementOf(compiled: ForwardedClientCert, peer: PeerCertificate, ownUriSans: readonly string[]): string {
  const known = compiled.elements.get(peer);
  if (known !== undefined) return known;
  const element = formatElement(compiled.details, peer, ownUriSans);
  compiled.elements.set(peer, element);
  return element;
}

/** One element: `By=spiffe://...;Hash=...;Subject="...";URI=spiffe://...`, in Envoy's order. */
export function formatElement(
  details: ForwardedClientCert['details'],
  peer: PeerCertificate,
  ownUriSans: readonly string[],
): string {
  const parts = ownUriSans.map((uri) => `By=${quoteIfNeeded(uri)}`);
  parts.push(`Hash=${peer.hash}`);
  if (details.cert) parts.push(`Cert="${encodeURIComponent(peer.pem)}"`);
  // RFC 2253 has escaped its quotes and backslashes; doing it twice would end the value early.
  if (details.chain) parts.push(`Chain="${encodeURIComponent(peer.chainPem ?? peer.pem)}"`);
  if (details.subject) parts.push(`Subject="${peer.subject}"`);
  if (details.uri) parts.push(...peer.uriSans.map((uri) => `URI=${quoteIfNeeded(uri)}`));
  if (details.dns) parts.push(...peer.dnsSans.map((name) => `DNS=${quoteIfNeeded(name)}`));
  const element = parts.join(';');
  assert(!/[\r\n\0]/.test(element), 'certificate names were checked when they were read');
  return element;
}

// A `,`, `;` or `=` in a name would otherwise end the value and begin another claim.
function quoteIfNeeded(value: string): string {
  return /[,;="\\]/.test(value) ? `"${value.replaceAll(/["\\]/g, '\\$&')}"` : value;
}
