// The handshake headers of WebSocket (RFC 6455 §4), which HTTP/2 does without (RFC 8441 §5): made where an upgrade crosses over.

import type { Headers } from '@weft/lib/header';
import { nodeCrypto } from '@weft/lib/lazy-node';

const keyHeader = 'sec-websocket-key';
const acceptHeader = 'sec-websocket-accept';
// RFC 6455 §1.3.
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

function isWebSocket(upgrade: string): boolean {
  return upgrade.toLowerCase() === 'websocket';
}

/** Gives the request the key that an HTTP/1 server asks for, where its client had none. */
export function addWebSocketKey(upgrade: string, headers: Headers): void {
  if (isWebSocket(upgrade) && !headers.has(keyHeader))
    headers.add(keyHeader, nodeCrypto().randomBytes(16).toString('base64'));
}

/** Gives the response the proof that an HTTP/1 client asks for, where its server gave none. */
export function addWebSocketAccept(upgrade: string, request: Headers, response: Headers): void {
  const key = request.get(keyHeader);
  if (!isWebSocket(upgrade) || key === undefined || response.has(acceptHeader)) return;
  response.add(
    acceptHeader,
    nodeCrypto()
      .createHash('sha1')
      .update(key + guid)
      .digest('base64'),
  );
}
