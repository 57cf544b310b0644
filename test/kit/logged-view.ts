// An exchange that is over, for tests of whatever reads one: plausible values, each of which a test may replace.

import { Headers } from '@weft/lib/header';
import type { ConnectionInfo } from '@weft/proxy/io/connection-info';
import type { LoggedView } from '@weft/proxy/telemetry/view';

/** A plain-text connection from 10.0.0.9:50000 to 10.0.0.1:8080, direct unless the changes say otherwise. */
export function fakeConnection(changes: Partial<ConnectionInfo> = {}): ConnectionInfo {
  return {
    id: 42,
    remoteAddress: '10.0.0.9',
    remotePort: 50_000,
    localAddress: '10.0.0.1',
    localPort: 8080,
    directRemoteAddress: changes.remoteAddress ?? '10.0.0.9',
    directRemotePort: changes.remotePort ?? 50_000,
    tlvs: [],
    metadata: null,
    originalDestination: null,
    transportProtocol: 'raw_buffer',
    serverName: '',
    alpn: '',
    peer: null,
    ownUriSans: [],
    tlsVersion: '',
    tlsCipher: '',
    listener: null,
    carry: () => {},
    setMetadata: () => {},
    whenOver: () => {},
    ...changes,
  };
}

/** `GET /reviews/1?full=yes`, answered 200 after 12 ms. */
export function fakeView(changes: Partial<LoggedView> = {}): LoggedView {
  return {
    connection: fakeConnection(),
    protocol: 'HTTP/1.1',
    method: 'GET',
    path: '/reviews/1?full=yes',
    authority: 'reviews:9080',
    scheme: 'http',
    originalPath: '/reviews/1?full=yes',
    requestHeaders: Headers.of('User-Agent', 'curl/8.0', 'X-Request-Id', 'r-1'),
    requestTrailers: null,
    status: 200,
    responseHeaders: Headers.of('Server', 'nginx'),
    responseTrailers: null,
    route: null,
    cluster: null,
    host: null,
    attempts: 1,
    fault: null,
    details: 'via_upstream',
    extraFlags: '',
    decisionId: '',
    requestId: 'r-1',
    clientAddress: '',
    filterState: [],
    startWallMs: Date.UTC(2026, 0, 2, 3, 4, 5, 67),
    startMs: 1000,
    requestEndMs: 1.5,
    upstreamStartMs: 2.5,
    responseStartMs: 9.75,
    responseEndMs: 11,
    endMs: 12.25,
    bytesReceived: 0,
    bytesSent: 1024,
    upstreamLocalAddress: '',
    ...changes,
  };
}
