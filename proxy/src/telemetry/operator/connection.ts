// Operators about the connections on both sides: addresses, TLS, identities, the cluster and host that were picked.

import { hostname } from 'node:os';
import type { Origin } from '@weft/lib/issue';
import type { ConnectionInfo, PeerCertificate } from '../../io/connection-info.ts';
import { responsibleFor } from '../responsible.ts';
import type { LoggedView } from '../view.ts';
import {
  type CompileOperator,
  formatAddress,
  fromPeer,
  type Operator,
  type OperatorTable,
  plain,
  textOrNull,
} from './operator.ts';

function remote(connection: ConnectionInfo): string | null {
  if (connection.remoteAddress === '') return null;
  return formatAddress(connection.remoteAddress, connection.remotePort);
}

// Who speaks through a proxy we trust has no port that we know: 0, as in Envoy.
function isForwarded({ clientAddress, connection }: LoggedView): boolean {
  return clientAddress !== '' && clientAddress !== connection.remoteAddress;
}

function client(view: LoggedView): string | null {
  return isForwarded(view) ? formatAddress(view.clientAddress, 0) : remote(view.connection);
}

function direct(connection: ConnectionInfo): string | null {
  if (connection.directRemoteAddress === '') return null;
  return formatAddress(connection.directRemoteAddress, connection.directRemotePort);
}

function local(connection: ConnectionInfo): string | null {
  if (connection.localAddress === '') return null;
  return formatAddress(connection.localAddress, connection.localPort);
}

function directLocalAddress(connection: ConnectionInfo): string {
  return connection.directLocalAddress ?? connection.localAddress;
}

function directLocal(connection: ConnectionInfo): string | null {
  const address = directLocalAddress(connection);
  return address === '' ? null : formatAddress(address, connection.directLocalPort ?? connection.localPort);
}

function upstreamHost(view: LoggedView): string | null {
  return view.host?.key ?? null;
}

function peerOperator(read: (peer: PeerCertificate) => string): CompileOperator {
  return fromPeer((view) => {
    const { peer } = view.connection;
    return peer === null ? null : textOrNull(read(peer));
  });
}

// The details of a failed connect are `upstream_reset_before_response_started{connection_failure|REASON}` or the reason alone.
function transportFailure(view: LoggedView): string | null {
  if (view.fault?.source !== 'upstream' || view.fault.flag !== 'UF') return null;
  const bar = view.details.indexOf('|');
  if (bar < 0) return textOrNull(view.details);
  return textOrNull(view.details.slice(bar + 1).replace(/\}$/, ''));
}

/** The resource behind an exchange's routing: `VirtualService/default/reviews (bookinfo.yaml:12)`, or null. */
export function describeOrigin(origin: Origin | null | undefined): string | null {
  if (origin === null || origin === undefined) return null;
  const resource = `${origin.kind}/${origin.namespace === '' ? '' : `${origin.namespace}/`}${origin.name}`;
  if (origin.file === undefined) return resource;
  return `${resource} (${origin.file}${origin.line === undefined ? '' : `:${origin.line}`})`;
}

function compileEnvironment(argument: string): Operator {
  const value = textOrNull(process.env[argument]);
  return { get: () => value, isFromPeer: false };
}

const hostName = hostname();

export const connectionOperators: OperatorTable = {
  DOWNSTREAM_REMOTE_ADDRESS: plain(client),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((view) =>
    textOrNull(view.clientAddress || view.connection.remoteAddress),
  ),
  DOWNSTREAM_REMOTE_PORT: plain((view) => (isForwarded(view) ? 0 : view.connection.remotePort)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: plain((view) => direct(view.connection)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: plain((view) => textOrNull(view.connection.directRemoteAddress)),
  DOWNSTREAM_DIRECT_REMOTE_PORT: plain((view) => view.connection.directRemotePort),
  DOWNSTREAM_LOCAL_ADDRESS: plain((view) => local(view.connection)),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain((view) => textOrNull(view.connection.localAddress)),
  DOWNSTREAM_LOCAL_PORT: plain((view) => view.connection.localPort),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS: plain((view) => directLocal(view.connection)),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT: plain((view) => textOrNull(directLocalAddress(view.connection))),
  DOWNSTREAM_DIRECT_LOCAL_PORT: plain(({ connection }) => connection.directLocalPort ?? connection.localPort),
  CONNECTION_ID: plain((view) => view.connection.id),
  REQUESTED_SERVER_NAME: fromPeer((view) => textOrNull(view.connection.serverName)),
  DOWNSTREAM_TLS_VERSION: plain((view) => textOrNull(view.connection.tlsVersion)),
  DOWNSTREAM_TLS_CIPHER: plain((view) => textOrNull(view.connection.tlsCipher)),
  DOWNSTREAM_PEER_URI_SAN: peerOperator((peer) => peer.uriSans.join(',')),
  DOWNSTREAM_PEER_DNS_SAN: peerOperator((peer) => peer.dnsSans.join(',')),
  DOWNSTREAM_PEER_SUBJECT: peerOperator((peer) => peer.subject),
  DOWNSTREAM_PEER_ISSUER: peerOperator((peer) => peer.issuer),
  DOWNSTREAM_PEER_SERIAL: peerOperator((peer) => peer.serial),
  DOWNSTREAM_PEER_FINGERPRINT_256: peerOperator((peer) => peer.hash),
  DOWNSTREAM_PEER_CERT: peerOperator((peer) => encodeURIComponent(peer.pem)),
  DOWNSTREAM_LOCAL_URI_SAN: plain((view) => textOrNull(view.connection.ownUriSans.join(','))),

  UPSTREAM_HOST: plain(upstreamHost),
  UPSTREAM_REMOTE_ADDRESS: plain(upstreamHost),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((view) => view.host?.address ?? null),
  UPSTREAM_REMOTE_PORT: plain((view) => view.host?.port ?? null),
  UPSTREAM_LOCAL_ADDRESS: plain((view) => textOrNull(view.upstreamLocalAddress)),
  UPSTREAM_CLUSTER: plain((view) => view.cluster?.name ?? null),
  UPSTREAM_CLUSTER_RAW: plain((view) => view.cluster?.name ?? null),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain((view) => view.attempts),
  UPSTREAM_TRANSPORT_FAILURE_REASON: fromPeer(transportFailure),
  ROUTE_NAME: plain((view) => textOrNull(view.route?.name)),
  // Virtual clusters are not carried out, so no exchange belongs to one.
  VIRTUAL_CLUSTER_NAME: plain(() => null),

  HOSTNAME: plain(() => hostName),
  ENVIRONMENT: compileEnvironment,
  WEFT_ORIGIN: plain((view) => describeOrigin(responsibleFor(view))),
  WEFT_DECISION_ID: plain((view) => textOrNull(view.decisionId)),
};
