// The exchange itself: runs the HTTP filters over head, body and trailers in both directions, and ends exactly once.
// Before it: the connection manager (decodes). After it: the router (route, cluster, upstream).

import { BodyBuffer } from '@weft/lib/body-buffer';
import type { Clock, Timer } from '@weft/lib/clock';
import type { Headers } from '@weft/lib/header';
import type { Cluster } from '../cluster/cluster.ts';
import type { Host } from '../cluster/host.ts';
import { type Fault, fault } from '../fault/fault.ts';
import { type HttpFilter, STOP } from '../http-filter/filter.ts';
import { RouterRequest } from '../http-filter/router/router-request.ts';
import type { ConnectionInfo } from '../io/connection-info.ts';
import { acceptsUpgrade } from '../protocol/upgrade.ts';
import { filterDisabled } from '../route/filter-override.ts';
import type { Route } from '../route/route.ts';
import type { Downstream } from './downstream.ts';
import { localReplyHead, replyHead, showDecision } from './local-reply.ts';
import type { Stream, StreamProtocol } from './stream.ts';
import type { StreamConfig } from './stream-config.ts';

const noBytes = Buffer.alloc(0);

/** What the codec decoded of a request head. */
export interface ExchangeHead {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly protocol: StreamProtocol;
  readonly headers: Headers;
  /** Upgrade token or `CONNECT`, else null. */
  readonly upgrade: string | null;
  /** The client's own address, by `x-forwarded-for` where that is trusted. */
  readonly clientAddress?: string;
  /** `x-request-id`, the client's or one made here. */
  readonly requestId?: string;
}

/** Request phases: head filters -> router; a filter that stopped is resumed at `requestAt`. */
export class Exchange implements Stream {
  readonly config: StreamConfig;
  readonly downstream: Downstream;
  readonly connection: ConnectionInfo;
  readonly protocol: StreamProtocol;
  method: string;
  path: string;
  authority: string;
  scheme: string;
  readonly originalPath: string;
  readonly upgrade: string | null;
  requestHeaders: Headers;
  requestTrailers: Headers | null = null;
  status = 0;
  /** What became of it in HTTP, where a gRPC caller is told by another status; 0 until that is known. */
  outcomeStatus = 0;
  responseHeaders: Headers | null = null;
  responseTrailers: Headers | null = null;
  route: Route | null = null;
  cluster: Cluster | null = null;
  host: Host | null = null;
  attempts = 0;
  fault: Fault | null = null;
  details = '';
  extraFlags = '';
  decisionId = '';
  readonly requestId: string;
  /** The client's own address, by `x-forwarded-for` where that is trusted; empty when only the connection's is known. */
  readonly clientAddress: string;
  readonly filterState: unknown[];
  readonly startWallMs: number;
  readonly startMs: number;
  requestEndMs = -1;
  upstreamStartMs = -1;
  responseStartMs = -1;
  responseEndMs = -1;
  endMs = -1;
  bytesReceived = 0;
  bytesSent = 0;
  upstreamLocalAddress = '';
  /** Drawn once, so that every choice of one exchange agrees. */
  random: number;
  /** Monotonic time of the last byte in either direction, for the idle limit. */
  activeMs: number;

  private readonly clock: Clock;
  private router: RouterRequest | null = null;
  private isRouteResolved = false;
  private isRequestEnded = false;
  private isRequestStopped = false;
  private isResponseStopped = false;
  /** Ends it when a filter holds the request for longer than it may last; once it is with the router, that has a timer. */
  private heldTimer: Timer | null = null;
  private requestAt = 0;
  private responseAt = 0;
  private pendingRequest: BodyBuffer | null = null;
  private pendingResponse: BodyBuffer | null = null;
  private isResponseStarted = false;
  private isResponseEnded = false;
  private isComplete = false;
  private isLocalReply = false;
  private cookies: string[] | null = null;

  constructor(config: StreamConfig, downstream: Downstream, head: ExchangeHead) {
    this.config = config;
    this.downstream = downstream;
    this.connection = downstream.info;
    this.clock = config.clock;
    this.protocol = head.protocol;
    this.method = head.method;
    this.path = head.path;
    this.authority = head.authority;
    this.scheme = head.scheme;
    this.originalPath = head.path;
    this.upgrade = head.upgrade;
    this.requestHeaders = head.headers;
    this.clientAddress = head.clientAddress ?? '';
    this.requestId = head.requestId ?? '';
    this.filterState = config.filters.length === 0 ? noState : new Array(config.filters.length).fill(undefined);
    this.startWallMs = config.clock.wallMs();
    this.startMs = config.clock.now();
    this.activeMs = this.startMs;
    this.random = config.random();
  }

  // Routed-request view: `headers` and `tls` are what route matching reads.
  get headers(): Headers {
    return this.requestHeaders;
  }

  get tls(): boolean {
    return this.connection.transportProtocol === 'tls';
  }

  /** An upgrade or CONNECT that was accepted: its bytes are no messages any more. */
  private get isTunnel(): boolean {
    if (this.upgrade === null || this.isLocalReply) return false;
    return acceptsUpgrade(this.upgrade, this.status);
  }

  get isOver(): boolean {
    return this.isComplete;
  }

  /** The response has begun: from here on a failure can only cut it. */
  get responseStarted(): boolean {
    return this.isResponseStarted;
  }

  get requestEnded(): boolean {
    return this.isRequestEnded;
  }

  // ---- request, from the connection manager

  /** The head is decoded; `endStream` when no body follows. */
  start(endStream: boolean): void {
    if (endStream) this.endRequest();
    this.runRequestHead();
  }

  private endRequest(): void {
    this.isRequestEnded = true;
    this.requestEndMs = this.clock.now() - this.startMs;
  }

  private runRequestHead(): void {
    const { filters } = this.config;
    if (this.requestAt === 0 && filters.length > 0) this.resolveRoute();
    while (this.requestAt < filters.length) {
      const filter = filters[this.requestAt++] as HttpFilter;
      if (filter.onRequestHead === null || this.isDisabled(filter)) continue;
      const status = filter.onRequestHead(this, this.isRequestEnded && this.pendingRequest === null);
      if (this.isComplete || this.isLocalReply) return;
      if (status === STOP) {
        this.isRequestStopped = true;
        this.limitHold();
        return;
      }
    }
    this.router = new RouterRequest(this, this.config);
    const pending = this.pendingRequest;
    this.router.start(this.isRequestEnded && pending === null && this.requestTrailers === null);
    if (pending === null) return;
    this.pendingRequest = null;
    this.replayRequest(pending);
  }

  private limitHold(): void {
    const leftMs = this.durationLeftMs(this.route === null ? -1 : this.route.durationMs(this.requestHeaders));
    if (leftMs >= 0) this.heldTimer = this.clock.start(leftMs, onHeldTooLong, this as Exchange);
  }

  onHeldTooLong(): void {
    this.heldTimer = null;
    this.fail(fault.max_duration, 'max_duration_timeout');
  }

  /**
   * Milliseconds that are left of what the route (`Route.durationMs`), or else the connection manager, lets it last; -1 without a
   * limit.
   */
  durationLeftMs(ofRouteMs: number): number {
    const limitMs = ofRouteMs < 0 ? this.config.maxStreamDurationMs : ofRouteMs;
    return limitMs === 0 ? -1 : Math.max(0, this.startMs + limitMs - this.clock.now());
  }

  private replayRequest(pending: BodyBuffer): void {
    const last = this.isRequestEnded && this.requestTrailers === null;
    this.filterRequestData(0, pending.buffer, 0, pending.length, last);
    if (this.requestTrailers !== null) this.filterRequestTrailers(this.requestTrailers);
    this.downstream.resumeRequest();
  }

  // Envoy: FilterConfig.disabled in a route's typed_per_filter_config.
  private isDisabled(filter: HttpFilter): boolean {
    const { route } = this;
    return route !== null && route.overrides !== null && route.filterOverride(filter.name) === filterDisabled;
  }

  continueRequest(slot: number): void {
    if (!this.isRequestStopped || this.isComplete || this.requestAt !== slot + 1) return;
    this.isRequestStopped = false;
    this.heldTimer?.stop();
    this.heldTimer = null;
    this.runRequestHead();
  }

  onRequestData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (this.isComplete || this.isLocalReply) return;
    this.bytesReceived += length;
    this.activeMs = this.clock.now();
    if (endStream) this.endRequest();
    if (this.router === null) {
      this.holdRequest(buffer, offset, length);
      return;
    }
    if (this.config.requestDataHooks === null) this.router.sendData(buffer, offset, length, endStream);
    else this.filterRequestData(0, buffer, offset, length, endStream);
    if (endStream && this.isResponseEnded) this.complete();
  }

  // A filter is thinking: nothing more is read, so what waits is at most what the kernel had already handed over.
  private holdRequest(buffer: Buffer, offset: number, length: number): void {
    this.pendingRequest ??= new BodyBuffer();
    this.pendingRequest.append(buffer, offset, length);
    this.downstream.pauseRequest();
  }

  private filterRequestData(from: number, buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    const hooks = this.config.requestDataHooks;
    if (hooks !== null) {
      for (const filter of hooks) {
        if (filter.slot < from || filter.onRequestData === null || this.isDisabled(filter)) continue;
        const status = filter.onRequestData(this, buffer, offset, length, endStream);
        if (status === STOP || this.isComplete || this.isLocalReply) return;
      }
    }
    this.router?.sendData(buffer, offset, length, endStream);
  }

  /** For a filter that consumed chunks: passes bytes of its own to the filters behind it. */
  passRequestData(slot: number, buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (!this.isComplete) this.filterRequestData(slot + 1, buffer, offset, length, endStream);
  }

  onRequestTrailers(trailers: Headers): void {
    if (this.isComplete || this.isLocalReply) return;
    this.requestTrailers = trailers;
    this.endRequest();
    if (this.router === null) {
      this.pendingRequest ??= new BodyBuffer();
      return;
    }
    this.filterRequestTrailers(trailers);
  }

  private filterRequestTrailers(trailers: Headers): void {
    for (const filter of this.config.requestTrailerHooks ?? []) {
      if (!this.isDisabled(filter)) filter.onRequestTrailers?.(this);
      if (this.isComplete || this.isLocalReply) return;
    }
    this.router?.sendTrailers(trailers);
    if (this.isResponseEnded) this.complete();
  }

  /** The client went away or broke the protocol. */
  onDownstreamReset(reason: Fault, details: string): void {
    if (this.isComplete) return;
    this.fault = reason;
    this.details = details || reason.code;
    this.complete();
  }

  /** Output to the client drained. */
  onDownstreamDrain(): void {
    this.router?.resumeResponse();
  }

  /** The upstream takes bytes again. */
  onUpstreamDrain(): void {
    this.downstream.resumeRequest();
  }

  onUpstreamCongested(): void {
    this.downstream.pauseRequest();
  }

  resolveRoute(): Route | null {
    if (this.isRouteResolved) return this.route;
    this.isRouteResolved = true;
    const table = this.config.routes.current();
    this.route = table === null ? null : table.match(this);
    return this.route;
  }

  /** A cookie that the endpoint's response is to carry besides its own, such as the one that keeps a client at its host. */
  addResponseCookie(setCookie: string): void {
    if (this.cookies === null) this.cookies = [setCookie];
    else this.cookies.push(setCookie);
  }

  /** Adds them; once, to the response of the endpoint that was picked by them. */
  giveCookies(headers: Headers): void {
    if (this.cookies === null) return;
    for (const cookie of this.cookies) headers.add('set-cookie', cookie);
    this.cookies = null;
  }

  /** Filters that changed what routes match on (path, headers) have the route chosen again. */
  clearRoute(): void {
    this.isRouteResolved = false;
    this.route = null;
  }

  routeConfig(filterName: string): unknown {
    return this.resolveRoute()?.filterOverride(filterName) ?? null;
  }

  // ---- response, from the router or a local reply

  onInformational(status: number, headers: Headers): void {
    if (!this.isComplete && !this.isResponseStarted) this.downstream.sendInformational(status, headers);
  }

  onResponseHead(status: number, headers: Headers, endStream: boolean): void {
    if (this.isComplete) return;
    this.status = status;
    this.responseHeaders = headers;
    this.activeMs = this.clock.now();
    if (endStream) this.markResponseEnd();
    this.responseAt = 0;
    this.runResponseHead(endStream);
  }

  private markResponseEnd(): void {
    if (!this.isLocalReply) this.responseEndMs = this.clock.now() - this.startMs;
  }

  private runResponseHead(endStream: boolean): void {
    const hooks = this.config.responseHeadHooks;
    if (hooks !== null) {
      while (this.responseAt < hooks.length) {
        const filter = hooks[this.responseAt++] as HttpFilter;
        if (this.isDisabled(filter)) continue;
        const status = filter.onResponseHead?.(this, endStream);
        if (this.isComplete) return;
        if (status === STOP) {
          this.isResponseStopped = true;
          this.pendingResponse = endStream ? null : new BodyBuffer();
          return;
        }
      }
    }
    this.isResponseStarted = true;
    this.config.finishResponseHead(this);
    this.downstream.sendHead(this, endStream);
    if (endStream) this.endResponse();
  }

  continueResponse(slot: number): void {
    const hooks = this.config.responseHeadHooks;
    if (!this.isResponseStopped || this.isComplete || hooks === null || hooks[this.responseAt - 1]?.slot !== slot)
      return;
    this.isResponseStopped = false;
    const pending = this.pendingResponse;
    this.pendingResponse = null;
    this.runResponseHead(pending === null);
    if (pending === null || this.isComplete) return;
    const ended = this.responseEndMs >= 0;
    const { responseTrailers } = this;
    const isLast = ended && responseTrailers === null;
    if (pending.length > 0 || isLast) this.filterResponseData(null, pending.buffer, 0, pending.length, isLast);
    if (responseTrailers !== null) this.filterResponseTrailers(responseTrailers);
    this.router?.resumeResponse();
  }

  onResponseData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (this.isComplete) return;
    this.activeMs = this.clock.now();
    if (endStream) this.markResponseEnd();
    if (this.isResponseStopped) {
      this.holdResponse(buffer, offset, length);
      return;
    }
    if (this.config.responseDataHooks === null) this.sendData(buffer, offset, length, endStream);
    else this.filterResponseData(null, buffer, offset, length, endStream);
  }

  private holdResponse(buffer: Buffer, offset: number, length: number): void {
    this.pendingResponse ??= new BodyBuffer();
    this.pendingResponse.append(buffer, offset, length);
    this.router?.pauseResponse();
  }

  private filterResponseData(
    after: number | null,
    buffer: Buffer,
    offset: number,
    length: number,
    endStream: boolean,
  ): void {
    for (const filter of this.config.responseDataHooks ?? []) {
      if ((after !== null && filter.slot >= after) || filter.onResponseData === null || this.isDisabled(filter))
        continue;
      const status = filter.onResponseData(this, buffer, offset, length, endStream);
      if (status === STOP || this.isComplete) return;
    }
    this.sendData(buffer, offset, length, endStream);
  }

  /** For a filter that consumed response chunks: passes bytes of its own towards the client. */
  passResponseData(slot: number, buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (!this.isComplete) this.filterResponseData(slot, buffer, offset, length, endStream);
  }

  private sendData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    this.bytesSent += length;
    this.downstream.sendData(buffer, offset, length, endStream);
    if (endStream) this.endResponse();
    else if (this.downstream.isCongested) this.router?.pauseResponse();
  }

  onResponseTrailers(trailers: Headers): void {
    if (this.isComplete) return;
    this.responseTrailers = trailers;
    this.markResponseEnd();
    // Behind a head that a filter holds back they wait with the body.
    if (!this.isResponseStopped) this.filterResponseTrailers(trailers);
  }

  private filterResponseTrailers(trailers: Headers): void {
    for (const filter of this.config.responseTrailerHooks ?? []) {
      if (this.isDisabled(filter)) continue;
      // Taken: what they said goes to the client in another form, and the filter has ended the response.
      if (filter.onResponseTrailers?.(this) === STOP || this.isComplete) return;
    }
    this.downstream.sendTrailers(trailers);
    this.endResponse();
  }

  // A tunnel lives until both sides have ended; any other exchange ends with its response.
  private endResponse(): void {
    this.isResponseEnded = true;
    if (this.isTunnel && !this.isRequestEnded) return;
    this.complete();
  }

  /** The connection left for another listener; the request is answered and over. */
  onHandedOver(): void {
    if (this.isComplete) return;
    this.status = 200;
    this.details = 'tunnel';
    this.isResponseEnded = true;
    this.complete();
  }

  // ---- endings

  fail(reason: Fault, details = '', status = 0, body = ''): void {
    if (this.isComplete) return;
    this.fault = reason;
    this.details = details || reason.code;
    if (this.isResponseStarted || reason.status === 0) {
      this.downstream.cut(this);
      this.complete();
      return;
    }
    this.decisionId = this.config.decisions.newId();
    const text = body || reason.message;
    this.status = status || reason.status;
    this.outcomeStatus ||= this.status;
    this.answer(this.status, localReplyHead(this, reason, text), text);
  }

  reply(status: number, headers: Headers, body: string, details: string): void {
    if (this.isComplete || this.isResponseStarted) return;
    this.details = details;
    this.decisionId = this.config.decisions.newId();
    showDecision(this, headers);
    this.answer(status, replyHead(this, status, headers, body), body);
  }

  private answer(status: number, headers: Headers, body: string): void {
    this.isLocalReply = true;
    this.router?.abandon();
    this.isResponseStopped = false;
    this.pendingResponse = null;
    this.responseTrailers = null;
    const isGrpc = headers.has('grpc-status');
    // RFC 9112 §6.3: who gets one of these takes what follows for the next response.
    const isBodiless = status === 204 || status === 304;
    const bytes = isGrpc || isBodiless || body === '' ? noBytes : Buffer.from(body);
    if (isBodiless) headers.remove('content-length');
    else if (!isGrpc && !headers.has('content-length')) headers.set('content-length', String(bytes.length));
    const hasBody = bytes.length > 0 && this.method !== 'HEAD';
    this.onResponseHead(isGrpc ? 200 : status, headers, !hasBody);
    if (hasBody && !this.isComplete) this.sendData(bytes, 0, bytes.length, true);
  }

  /** Whether the response came to its end; false when it was cut. */
  get responseEnded(): boolean {
    return this.isResponseEnded;
  }

  private complete(): void {
    if (this.isComplete) return;
    this.isComplete = true;
    this.endMs = this.clock.now() - this.startMs;
    this.router?.finish();
    this.heldTimer?.stop();
    const { config } = this;
    if (config.completeHooks !== null) for (const filter of config.completeHooks) filter.onComplete?.(this);
    config.stats.onComplete(this);
    if (this.decisionId !== '') config.decisions.record(this);
    if (config.accessLog !== null) config.accessLog.log(this);
    this.downstream.onExchangeComplete(this);
  }
}

const noState: unknown[] = [];

function onHeldTooLong(exchange: Exchange): void {
  exchange.onHeldTooLong();
}
