// Cross-origin requests of browsers (Fetch standard, "HTTP-CORS protocol"), decided by the route's policy: preflights are answered
// here, and responses to allowed origins say so. What an endpoint says about origins itself is replaced for those.

import { Headers } from '@weft/lib/header';
import type { Counter, Scope } from '@weft/lib/metrics';
import type { Stream } from '../../stream/stream.ts';
import { CONTINUE, type FilterStatus, type HttpFilter, STOP } from '../filter.ts';

/** A compiled `CorsPolicy`. */
export interface CorsPolicy {
  readonly isAllowed: (origin: string) => boolean;
  readonly methods: string;
  readonly headers: string;
  readonly exposed: string;
  readonly maxAge: string;
  readonly hasCredentials: boolean;
  readonly hasPrivateNetwork: boolean;
  /** Preflights of other origins go on to the endpoint. */
  readonly forwardsOtherPreflights: boolean;
  /** Share of requests it holds for, and of those that are only counted, in [0, 1]. */
  readonly share: number;
  readonly shadowShare: number;
}

/** What the filter remembers of a request from an allowed origin. */
interface AllowedOrigin {
  readonly origin: string;
  readonly policy: CorsPolicy;
}

/** One CORS filter of a chain. */
export class CorsFilter implements HttpFilter {
  readonly name: string;
  slot = -1;
  readonly onRequestHead: (stream: Stream, endStream: boolean) => FilterStatus;
  readonly onRequestData = null;
  readonly onRequestTrailers = null;
  readonly onResponseHead: (stream: Stream, endStream: boolean) => FilterStatus;
  readonly onResponseData = null;
  readonly onResponseTrailers = null;
  readonly onComplete = null;
  private readonly random: () => number;
  private readonly valid: Counter;
  private readonly invalid: Counter;

  constructor(name: string, context: { readonly scope: Scope; readonly random: () => number }) {
    this.name = name;
    this.random = context.random;
    this.valid = context.scope.counter('cors.origin_valid');
    this.invalid = context.scope.counter('cors.origin_invalid');
    this.onRequestHead = (stream) => this.judge(stream);
    this.onResponseHead = (stream) => this.mark(stream);
  }

  private judge(stream: Stream): FilterStatus {
    const origin = stream.requestHeaders.get('origin');
    if (origin === undefined || origin === '') return CONTINUE;
    const policy = stream.routeConfig(this.name) as CorsPolicy | null;
    if (policy === null) return CONTINUE;
    const isEnabled = this.draw(policy.share);
    if (!isEnabled && !this.draw(policy.shadowShare)) return CONTINUE;
    const isAllowed = policy.isAllowed(origin);
    if (isAllowed) this.valid.inc();
    else this.invalid.inc();
    if (!isEnabled) return CONTINUE;
    if (!isAllowed) return this.refuse(stream, policy);
    if (isPreflight(stream)) {
      stream.reply(200, preflightHeaders(stream, origin, policy), '', 'cors_response');
      return STOP;
    }
    const allowed: AllowedOrigin = { origin, policy };
    stream.filterState[this.slot] = allowed;
    return CONTINUE;
  }

  private draw(share: number): boolean {
    return share >= 1 || (share > 0 && this.random() < share);
  }

  // The browser refuses by itself what is not allowed expressly; only a preflight needs an answer.
  private refuse(stream: Stream, policy: CorsPolicy): FilterStatus {
    if (policy.forwardsOtherPreflights || !isPreflight(stream)) return CONTINUE;
    stream.reply(200, Headers.of(), '', 'cors_response');
    return STOP;
  }

  private mark(stream: Stream): FilterStatus {
    const state = stream.filterState[this.slot];
    if (state === undefined || state === null || stream.responseHeaders === null) return CONTINUE;
    const { origin, policy } = state as AllowedOrigin;
    const headers = stream.responseHeaders;
    headers.set('access-control-allow-origin', origin);
    if (policy.hasCredentials) headers.set('access-control-allow-credentials', 'true');
    if (policy.exposed !== '') headers.set('access-control-expose-headers', policy.exposed);
    return CONTINUE;
  }
}

// Fetch standard, "CORS-preflight request": it names a method. An empty one names none, and the endpoint answers.
function isPreflight(stream: Stream): boolean {
  return stream.method === 'OPTIONS' && (stream.requestHeaders.get('access-control-request-method') ?? '') !== '';
}

function preflightHeaders(stream: Stream, origin: string, policy: CorsPolicy): Headers {
  const headers = Headers.of('access-control-allow-origin', origin);
  if (policy.hasCredentials) headers.add('access-control-allow-credentials', 'true');
  if (policy.hasPrivateNetwork && stream.requestHeaders.get('access-control-request-private-network') === 'true') {
    headers.add('access-control-allow-private-network', 'true');
  }
  if (policy.methods !== '') headers.add('access-control-allow-methods', policy.methods);
  if (policy.headers !== '') headers.add('access-control-allow-headers', policy.headers);
  if (policy.maxAge !== '') headers.add('access-control-max-age', policy.maxAge);
  return headers;
}
