// What happens to a request head between the codec and the filters: normalisation, forwarding headers, request id.

import { isIP } from 'node:net';
import type { Headers } from '@weft/lib/header';
import { makeRequestId } from '@weft/lib/request-id';
import { type Fault, fault } from '../../fault/fault.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import { applyForwardedClientCert } from '../../security/forwarded-client-cert.ts';
import type { ExchangeHead } from '../../stream/exchange.ts';
import type { StreamProtocol } from '../../stream/stream.ts';
import type { HttpConnectionManager } from './http-connection-manager.ts';
import { normalizePath } from './path.ts';

/** A head ready for an exchange, or the reason why it is refused at once. */
export interface PreparedHead extends ExchangeHead {
  readonly refusal: Fault | null;
  readonly refusalDetails: string;
  readonly requestId: string;
  readonly clientAddress: string;
}

/** What either codec says of a request. */
export interface IncomingHead {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: string | null;
  /** Minor version of HTTP/1, or 2. */
  readonly minor: 0 | 1 | 2;
}

const protocols: readonly StreamProtocol[] = ['HTTP/1.0', 'HTTP/1.1', 'HTTP/2'];

/** Applies the connection manager's rules. `headers` is changed in place. */
export function prepareHead(
  manager: HttpConnectionManager,
  info: ConnectionInfo,
  head: IncomingHead,
  headers: Headers,
  upgrade: string | null,
): PreparedHead {
  let refusal: Fault | null = null;
  let refusalDetails = '';
  let { path } = head;
  if (manager.pathPolicy !== null) {
    const normal = normalizePath(path, manager.pathPolicy);
    if (normal === null) {
      refusal = fault.downstream_protocol_error;
      refusalDetails = 'path_normalization_failed';
    } else path = normal.path;
  }
  // A fragment is the client's own affair; a rule for paths that ends before it could be evaded (HTTP/1 refuses it earlier).
  if (path.includes('#')) {
    refusal = fault.downstream_protocol_error;
    refusalDetails = 'path_normalization_failed';
  }
  const authority = manager.stripsPort === null ? head.authority : stripPort(head.authority, manager.stripsPort, info);
  if (manager.isEdge) removeInternalHeaders(headers, manager.internalOnlyHeaders);
  const clientAddress = findClient(manager, info, headers);
  const scheme = forwardedScheme(manager, info, head, headers);
  const requestId = giveRequestId(manager, headers);
  if (manager.forwardedClientCert !== null) applyForwardedClientCert(manager.forwardedClientCert, info, headers);
  if (manager.via !== '') headers.add('via', manager.via);
  return {
    method: head.method,
    path,
    authority,
    scheme,
    protocol: protocols[head.minor] as StreamProtocol,
    headers,
    upgrade,
    refusal,
    refusalDetails,
    requestId,
    clientAddress,
  };
}

/** `any` strips whatever port there is, `matching` the listener's own. */
export type StripPort = 'any' | 'matching';

function stripPort(authority: string, mode: StripPort, info: ConnectionInfo): string {
  const colon = authority.lastIndexOf(':');
  if (colon < 0 || authority.endsWith(']')) return authority;
  if (mode === 'matching' && authority.slice(colon + 1) !== String(info.localPort)) return authority;
  return authority.slice(0, colon);
}

// At the edge nobody outside may speak in the mesh's own headers.
function removeInternalHeaders(headers: Headers, configured: readonly string[]): void {
  for (const name of configured) headers.remove(name);
  for (let slot = headers.slots - 1; slot >= 0; slot--) {
    if (!headers.present(slot)) continue;
    const name = headers.nameAt(slot);
    if (name.startsWith('x-envoy-') || name.startsWith('x-weft-')) headers.remove(name);
  }
}

// Envoy: use_remote_address. Where it is set the connection is a hop of its own, else only what the header says is believed.
function findClient(manager: HttpConnectionManager, info: ConnectionInfo, headers: Headers): string {
  const { remoteAddress } = info;
  // Lines of one name are one list; whoever reads only the first can be lied to by a second.
  const before = headers.has('x-forwarded-for') ? headers.getAll('x-forwarded-for').join(',') : undefined;
  if (manager.usesRemoteAddress && !manager.skipsForwardedFor && isIP(remoteAddress) !== 0) {
    headers.set('x-forwarded-for', before === undefined ? remoteAddress : `${before},${remoteAddress}`);
  }
  const skipped = manager.usesRemoteAddress ? manager.trustedHops - 1 : manager.trustedHops;
  if (skipped < 0 || before === undefined) return remoteAddress;
  const told =
    before
      .split(',')
      .at(-1 - skipped)
      ?.trim() ?? '';
  return isIP(told) === 0 ? remoteAddress : told;
}

function forwardedScheme(
  manager: HttpConnectionManager,
  info: ConnectionInfo,
  head: IncomingHead,
  headers: Headers,
): string {
  const own = info.transportProtocol === 'tls' ? 'https' : 'http';
  const claimed = headers.get('x-forwarded-proto');
  if (claimed === undefined || manager.usesRemoteAddress) {
    if (claimed !== own) headers.set('x-forwarded-proto', own);
    return head.scheme ?? own;
  }
  if (claimed === 'http' || claimed === 'https') return claimed;
  headers.set('x-forwarded-proto', own);
  return own;
}

function giveRequestId(manager: HttpConnectionManager, headers: Headers): string {
  if (!manager.generatesRequestId) return headers.get('x-request-id') ?? '';
  const given = headers.get('x-request-id');
  if (given !== undefined && (!manager.isEdge || manager.preservesRequestId)) return given;
  const made = makeRequestId();
  headers.set('x-request-id', made);
  return made;
}
