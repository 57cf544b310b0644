// Header names: validated, lower-cased and interned once, so that later comparisons are by pointer.

import { ownText } from '@weft/lib/bytes';

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Whether the text is an RFC 9110 token: a method, a header name, a connection option. */
export function isToken(text: string): boolean {
  return tokenPattern.test(text);
}

// In the case in which HTTP/1 peers usually write them; the lower-case form of each is known as well.
const wellKnown = `
Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Credentials
Access-Control-Allow-Headers Access-Control-Allow-Methods Access-Control-Allow-Origin Access-Control-Expose-Headers
Access-Control-Max-Age Access-Control-Request-Headers Access-Control-Request-Method Age Allow Alt-Svc Authorization B3
Baggage Cache-Control Connection Content-Disposition Content-Encoding Content-Language Content-Length Content-Location
Content-Range Content-Security-Policy Content-Type Cookie DNT Date ETag End-User Expect Expires Forwarded From
Grpc-Accept-Encoding Grpc-Encoding Grpc-Message Grpc-Status Grpc-Timeout Host If-Match If-Modified-Since If-None-Match
If-Range If-Unmodified-Since Keep-Alive Last-Modified Link Location Max-Forwards Origin Pragma Priority Proxy-Authenticate
Proxy-Authorization Proxy-Connection Range Referer Referrer-Policy Retry-After Sec-CH-UA Sec-CH-UA-Mobile
Sec-CH-UA-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Sec-WebSocket-Accept
Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol Sec-WebSocket-Version Server Server-Timing Set-Cookie
Strict-Transport-Security TE Traceparent Tracestate Trailer Transfer-Encoding Upgrade Upgrade-Insecure-Requests User-Agent
Vary Via WWW-Authenticate X-B3-Flags X-B3-ParentSpanId X-B3-Sampled X-B3-SpanId X-B3-TraceId X-Content-Type-Options
X-Envoy-Attempt-Count X-Envoy-Decorator-Operation X-Envoy-Expected-Rq-Timeout-Ms X-Envoy-External-Address
X-Envoy-Internal X-Envoy-Original-Path X-Envoy-Peer-Metadata X-Envoy-Peer-Metadata-Id X-Envoy-Upstream-Service-Time
X-Forwarded-Client-Cert X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto X-Frame-Options X-Powered-By
X-Real-IP X-Request-Id X-Requested-With X-XSS-Protection`;

// Beyond this many names seen on the wire the table is emptied of them: a peer that invents names costs no memory.
const learnedLimit = 1024;
const learnedLengthLimit = 64;

const known: Map<string, string> = new Map();
let learned: Map<string, string> = new Map();

function seed(): void {
  for (const raw of wellKnown.trim().split(/\s+/)) {
    const name = raw.toLowerCase();
    known.set(name, name);
    known.set(raw, name);
  }
}
seed();

/** The interned lower-case form of a header name as received, or null when it is not a token. */
export function internHeaderName(raw: string): string | null {
  return known.get(raw) ?? learned.get(raw) ?? learnHeaderName(raw);
}

function learnHeaderName(raw: string): string | null {
  if (!isToken(raw)) return null;
  const lower = raw.toLowerCase();
  const name = known.get(lower) ?? lower;
  if (raw.length > learnedLengthLimit) return name;
  if (learned.size >= learnedLimit) learned = new Map();
  // A copy: what is kept must not keep the whole received text alive.
  learned.set(ownText(raw), name);
  return name;
}
