// Injects faults into requests: a delay, then perhaps an abort. What is injected is marked (`DI`, `FI`) and counted, so that nobody
// looks for its cause elsewhere.

import type { Clock, Timer } from '@weft/lib/clock';
import type { Headers } from '@weft/lib/header';
import type { Counter, Gauge } from '@weft/lib/metrics';
import type { Stream } from '../../stream/stream.ts';
import { CONTINUE, type FilterStatus, type HttpFilter, STOP } from '../filter.ts';
import { abortFault } from './abort-fault.ts';
import { type AbortRule, type DelayRule, type FaultContext, FaultRules, type FaultShare } from './rules.ts';

const headerNames = {
  delay: 'x-envoy-fault-delay-request',
  delayPercentage: 'x-envoy-fault-delay-request-percentage',
  abort: 'x-envoy-fault-abort-request',
  abortGrpc: 'x-envoy-fault-abort-grpc-request',
  abortPercentage: 'x-envoy-fault-abort-request-percentage',
} as const;

/** Longer delays asked for by a header are cut to this. */
const maxHeaderDelayMs = 3_600_000;

/** What the filter remembers of a stream that got a fault. */
class Injection {
  readonly filter: FaultFilter;
  readonly stream: Stream;
  readonly rules: FaultRules;
  timer: Timer | null = null;
  isActive = false;

  constructor(filter: FaultFilter, stream: Stream, rules: FaultRules) {
    this.filter = filter;
    this.stream = stream;
    this.rules = rules;
  }
}

/** One fault filter of a chain. */
export class FaultFilter implements HttpFilter {
  readonly name: string;
  slot = -1;
  readonly onRequestHead: (stream: Stream, endStream: boolean) => FilterStatus;
  readonly onRequestData = null;
  readonly onRequestTrailers = null;
  readonly onResponseHead = null;
  readonly onResponseData = null;
  readonly onResponseTrailers = null;
  readonly onComplete: (stream: Stream) => void;
  private readonly rules: FaultRules;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly abortsInjected: Counter;
  private readonly delaysInjected: Counter;
  private readonly overflow: Counter;
  private readonly active: Gauge;

  constructor(name: string, rules: FaultRules, context: FaultContext) {
    this.name = name;
    this.rules = rules;
    this.clock = context.clock;
    this.random = context.random;
    this.abortsInjected = context.scope.counter('fault.aborts_injected');
    this.delaysInjected = context.scope.counter('fault.delays_injected');
    this.overflow = context.scope.counter('fault.faults_overflow');
    this.active = context.scope.gauge('fault.active_faults');
    this.onRequestHead = (stream) => this.inject(stream);
    this.onComplete = (stream) => this.release(stream);
  }

  private inject(stream: Stream): FilterStatus {
    const override = stream.routeConfig(this.name);
    const rules = override instanceof FaultRules ? override : this.rules;
    if (rules.delay === null && rules.abort === null) return CONTINUE;
    if (!concerns(rules, stream)) return CONTINUE;
    const injection = new Injection(this, stream, rules);
    const delayMs = rules.delay === null ? 0 : this.drawDelayMs(rules.delay, stream.requestHeaders);
    if (delayMs > 0 && this.activate(injection)) {
      this.delaysInjected.inc();
      stream.extraFlags = stream.extraFlags === '' ? 'DI' : `${stream.extraFlags},DI`;
      injection.timer = this.clock.start(delayMs, onDelayOver, injection);
      return STOP;
    }
    return this.abortOrGoOn(injection) ? STOP : CONTINUE;
  }

  private activate(injection: Injection): boolean {
    if (injection.isActive) return true;
    if (this.active.value >= injection.rules.maxActive) {
      this.overflow.inc();
      return false;
    }
    injection.isActive = true;
    this.active.inc();
    injection.stream.filterState[this.slot] = injection;
    return true;
  }

  private drawDelayMs(rule: DelayRule, headers: Headers): number {
    if (rule.delayMs >= 0) return this.draws(rule.share.chance) ? rule.delayMs : 0;
    const asked = numberOf(headers.get(headerNames.delay));
    if (asked <= 0 || !this.draws(chanceByHeader(rule.share, headers, headerNames.delayPercentage))) return 0;
    return Math.min(asked, maxHeaderDelayMs);
  }

  private draws(chance: number): boolean {
    return this.random() < chance;
  }

  /** True when the request was answered. */
  abortOrGoOn(injection: Injection): boolean {
    const { stream, rules } = injection;
    const reason = rules.abort === null ? null : this.drawAbort(rules.abort, stream.requestHeaders);
    if (reason === null || !this.activate(injection)) return false;
    this.abortsInjected.inc();
    stream.fail(reason, 'fault_filter_abort', reason.status, reason.message);
    return true;
  }

  private drawAbort(rule: AbortRule, headers: Headers): ReturnType<typeof abortFault> | null {
    if (!rule.isByHeader) return this.draws(rule.share.chance) ? abortFault(rule.status, rule.grpcStatus) : null;
    const status = numberOf(headers.get(headerNames.abort));
    const grpcStatus = numberOf(headers.get(headerNames.abortGrpc));
    const isStatus = status >= 200 && status <= 599;
    const isGrpcStatus = grpcStatus >= 0 && grpcStatus <= 16;
    if (!isStatus && !isGrpcStatus) return null;
    if (!this.draws(chanceByHeader(rule.share, headers, headerNames.abortPercentage))) return null;
    return isStatus ? abortFault(status, -1) : abortFault(0, grpcStatus);
  }

  private release(stream: Stream): void {
    const injection = stream.filterState[this.slot];
    if (!(injection instanceof Injection)) return;
    stream.filterState[this.slot] = undefined;
    injection.timer?.stop();
    injection.timer = null;
    if (injection.isActive) this.active.dec();
    injection.isActive = false;
  }
}

function onDelayOver(injection: Injection): void {
  const { filter, stream } = injection;
  injection.timer = null;
  if (!filter.abortOrGoOn(injection)) stream.continueRequest(filter.slot);
}

function concerns(rules: FaultRules, stream: Stream): boolean {
  const { requestHeaders: headers } = stream;
  if (rules.upstreamCluster !== '' && stream.resolveRoute()?.pickCluster({ headers }) !== rules.upstreamCluster)
    return false;
  if (rules.downstreamNodes.size > 0) {
    const node = headers.get('x-envoy-downstream-service-node');
    if (node === undefined || !rules.downstreamNodes.has(node)) return false;
  }
  if (rules.headers.length === 0) return true;
  const { method, path, authority, scheme } = stream;
  const request = { method, path, authority, scheme, headers };
  return rules.headers.every((matcher) => matcher.matchesRequest(request));
}

// A header may ask for less than is configured, never for more.
function chanceByHeader(share: FaultShare, headers: Headers, name: string): number {
  const asked = numberOf(headers.get(name));
  return asked < 0 ? share.chance : Math.min(share.chance, asked / share.whole);
}

function numberOf(text: string | undefined): number {
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : -1;
}
