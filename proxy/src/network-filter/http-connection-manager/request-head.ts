// What happens to a request head between the codec and the filters: normalisation, forwarding headers, request id.

import { isIP } from 'node:net';
import { type HeaderBlock, Headers } from '@weft/lib/header';
import { makeRequestId } from '@weft/lib/request-id';
import { type Fault, fault } from '../../fault/fault.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import { applyForwardedClientCert } from '../../security/forwarded-client-cert.ts';
import type { Exchange, ExchangeHead } from '../../stream/exchange.ts';
import type { StreamProtocol } from '../../stream/stream.ts';
import { applyUnderscoreAction } from './header-names.ts';
import type { HttpConnectionManager } from './http-connection-manager.ts';
import { normalizePath, type PathResult } from './path.ts';

/** A head ready for an exchange, or the reason why it is refused at once. */
export interface PreparedHead extends ExchangeHead {
  readonly refusal: Fault | null;
  readonly refusalDetails: string;
  /** The client is asked to come again with this path; else null. */
  readonly redirectPath: string | null;
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
  let redirectPath: string | null = null;
  const normal = manager.pathPolicy === null ? unchanged : normalizePath(path, manager.pathPolicy);
  // A fragment is the client's own affair; a rule for paths that ends before it could be evaded (HTTP/1 refuses it earlier).
  if (normal === null || path.includes('#') || (normal.redirect && isGrpc(headers))) {
    manager.counters.pathRefused.inc();
    refusal = fault.downstream_protocol_error;
    refusalDetails = 'path_normalization_failed';
  } else if (normal !== unchanged) {
    path = normal.path;
    if (normal.redirect) redirectPath = path;
  }
  if (manager.underscores !== 'allow') {
    const { http1Underscores, http2Underscores } = manager.counters;
    const stats = head.minor === 2 ? http2Underscores : http1Underscores;
    if (applyUnderscoreAction(headers, manager.underscores, stats)) {
      refusal = fault.downstream_protocol_error;
      refusalDetails = head.minor === 2 ? 'http2.unexpected_underscore' : 'http1.unexpected_underscore';
    }
  }
  const authority = manager.stripsPort === null ? head.authority : stripPort(head, manager.stripsPort, info);
  if (manager.isEdge) removeInternalHeaders(headers, manager.internalOnlyHeaders);
  else headers.remove('x-envoy-internal');
  const clientAddress = findClient(manager, info, headers);
  if (manager.isEdge) headers.set('x-envoy-external-address', clientAddress);
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
    redirectPath,
    requestId,
    clientAddress,
  };
}

/** Where the path is left alone. */
const unchanged: PathResult = { path: '', redirect: false };

// A gRPC client follows no redirect.
function isGrpc(headers: Headers): boolean {
  return headers.get('content-type')?.startsWith('application/grpc') === true;
}

/** `any` strips whatever port there is, `matching` the listener's own. */
export type StripPort = 'any' | 'matching';

function stripPort({ method, authority }: IncomingHead, mode: StripPort, info: ConnectionInfo): string {
  // RFC 9110 §9.3.6: what CONNECT asks for is nothing without its port.
  if (method === 'CONNECT') return authority;
  const colon = authority.lastIndexOf(':');
  if (colon < 0 || authority.endsWith(']')) return authority;
  if (mode === 'matching' && authority.slice(colon + 1) !== String(info.localPort)) return authority;
  return authority.slice(0, colon);
}

// At the edge nobody outside may speak in the mesh's own headers.
function removeInternalHeaders(headers: Headers, configured: readonly string[]): void {
  for (const name of configured) headers.remove(name);
  headers.removeWhere(isInternal);
}

function isInternal(name: string): boolean {
  return name.startsWith('x-envoy-') || name.startsWith('x-weft-');
}

// Envoy: use_remote_address. Where it is set the connection is a hop of its own, else only what the header says is believed.
function findClient(manager: HttpConnectionManager, info: ConnectionInfo, headers: Headers): string {
  const { remoteAddress } = info;
  // Lines of one name are one list; whoever reads only the first can be lied to by a second.
  const before = headers.has('x-forwarded-for') ? joinLines(headers.getAll('x-forwarded-for')) : undefined;
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

// An empty line says nothing, and nothing is not an address before ours.
function joinLines(lines: readonly string[]): string | undefined {
  return lines.filter((line) => line !== '').join(',') || undefined;
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
  if (given !== undefined && given !== '' && (!manager.isEdge || manager.preservesRequestId)) return given;
  const made = makeRequestId();
  headers.set('x-request-id', made);
  return made;
}

/** Answers what is not to be looked at further; false for every other request. */
export function answerAtOnce(manager: HttpConnectionManager, exchange: Exchange, head: PreparedHead): boolean {
  if (head.refusal !== null) {
    exchange.fail(head.refusal, head.refusalDetails);
    return true;
  }
  if (head.redirectPath === null) return false;
  manager.counters.pathRedirected.inc();
  exchange.reply(307, Headers.of('location', sameHost(head.redirectPath)), '', 'path_normalization_failed');
  return true;
}

// RFC 3986 §4.2: a reference with two slashes in front names a host, and browsers take `\` for one. The dot goes when it is resolved.
function sameHost(path: string): string {
  return /^\/[/\\]/.test(path) ? `/.${path}` : path;
}

/** The trailers of a request, by the rules for its headers: those that would have it refused are left out. */
export function prepareTrailers(manager: HttpConnectionManager, block: HeaderBlock, minor: 1 | 2): Headers {
  const trailers = new Headers(block);
  if (manager.underscores === 'allow') return trailers;
  const { http1Underscores, http2Underscores } = manager.counters;
  applyUnderscoreAction(trailers, 'drop', minor === 2 ? http2Underscores : http1Underscores);
  return trailers;
}
