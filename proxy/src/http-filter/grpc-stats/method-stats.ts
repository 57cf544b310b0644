// The counters of gRPC calls to one cluster, by Envoy's names, and those of its methods: bounded, as clients choose the names.

import type { Counter, Histogram, Scope } from '@weft/lib/metrics';

/** Methods of one cluster that are told apart without being listed in the configuration. */
export const methodsMax = 500;
/** Statuses that gRPC knows; the rest of them counts as UNKNOWN. */
const statusMax = 16;
const unknown = 2;

/** `grpc.` or `grpc.SERVICE.METHOD.` of one cluster. */
export class CallStats {
  readonly success: Counter;
  readonly failure: Counter;
  readonly total: Counter;
  readonly requestMessages: Counter;
  readonly responseMessages: Counter;
  private readonly scope: Scope;
  private readonly method: string;
  private readonly statuses: (Counter | null)[] = new Array(statusMax + 1).fill(null);
  private time: Histogram | null = null;

  /** `method` is `SERVICE.METHOD.`, or empty. */
  constructor(scope: Scope, method: string) {
    this.scope = scope;
    this.method = method;
    this.success = scope.counter(`grpc.${method}success`);
    this.failure = scope.counter(`grpc.${method}failure`);
    this.total = scope.counter(`grpc.${method}total`);
    this.requestMessages = scope.counter(`grpc.${method}request_message_count`);
    this.responseMessages = scope.counter(`grpc.${method}response_message_count`);
  }

  recordStatus(status: number): void {
    const index = status <= statusMax ? status : unknown;
    let counter = this.statuses[index] ?? null;
    if (counter === null) {
      counter = this.scope.counter(`grpc.${this.method}${index}`);
      this.statuses[index] = counter;
    }
    counter.value++;
    this.total.value++;
    if (status === 0) this.success.value++;
    else this.failure.value++;
  }

  recordTime(ms: number): void {
    this.time ??= this.scope.histogram(`grpc.${this.method}upstream_rq_time`);
    this.time.record(ms);
  }
}

/** All calls to one cluster. */
export class ClusterCallStats {
  /** Calls whose method is not told apart. */
  readonly all: CallStats;
  private readonly scope: Scope;
  private readonly methods: Map<string, CallStats> = new Map();
  private readonly overflow: Counter;

  constructor(scope: Scope) {
    this.scope = scope;
    this.all = new CallStats(scope, '');
    this.overflow = scope.counter('grpc.method_limit_overflow');
  }

  /** The counters of a method that has some, or null. */
  find(method: string): CallStats | null {
    return this.methods.get(method) ?? null;
  }

  /** Those of a method that the configuration names. */
  listed(method: string): CallStats {
    return this.methods.get(method) ?? this.add(method);
  }

  /** Those of a method that an endpoint answered; at the bound, those of all calls. */
  admit(method: string): CallStats {
    const known = this.methods.get(method);
    if (known !== undefined) return known;
    if (this.methods.size < methodsMax) return this.add(method);
    this.overflow.value++;
    return this.all;
  }

  private add(method: string): CallStats {
    const made = new CallStats(this.scope, `${method}.`);
    this.methods.set(method, made);
    return made;
  }
}

// With the scope, not with a filter: a listener that is replaced goes on counting in the same place, and within the same bound.
const byScope: WeakMap<Scope, ClusterCallStats> = new WeakMap();

export function callStatsOf(scope: Scope): ClusterCallStats {
  let stats = byScope.get(scope);
  if (stats === undefined) {
    stats = new ClusterCallStats(scope);
    byScope.set(scope, stats);
  }
  return stats;
}
