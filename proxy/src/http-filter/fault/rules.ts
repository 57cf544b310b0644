// What the fault filter is told to do, compiled.

import type { envoy } from '@weft/api/xds/types';
import type { Clock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import type { Scope } from '@weft/lib/metrics';
import type { HeaderMatcher } from '../../route/header-matcher.ts';

type HttpFault = envoy.extensions.filters.http.fault.v3.HTTPFault;

/** How often something is injected. */
export interface FaultShare {
  /** 0 to 1. */
  readonly chance: number;
  /** 100, 10,000 or a million: the unit in which a header may ask for less. */
  readonly whole: number;
}

export interface DelayRule {
  readonly share: FaultShare;
  /** -1: the request's header says. */
  readonly delayMs: number;
}

export interface AbortRule {
  readonly share: FaultShare;
  /** HTTP status, or 0. */
  readonly status: number;
  /** gRPC status, or -1. */
  readonly grpcStatus: number;
  readonly isByHeader: boolean;
}

/** What a request is to suffer. */
export class FaultRules {
  readonly delay: DelayRule | null;
  readonly abort: AbortRule | null;
  readonly upstreamCluster: string;
  readonly headers: readonly HeaderMatcher[];
  readonly downstreamNodes: ReadonlySet<string>;
  readonly maxActive: number;

  constructor(config: HttpFault, delay: DelayRule | null, abort: AbortRule | null, headers: readonly HeaderMatcher[]) {
    this.delay = delay;
    this.abort = abort;
    this.upstreamCluster = config.upstreamCluster ?? '';
    this.headers = headers;
    this.downstreamNodes = new Set(config.downstreamNodes ?? []);
    this.maxActive = config.maxActiveFaults ?? Number.POSITIVE_INFINITY;
  }
}

/** What compiling needs of the chain's context. */
export interface FaultContext {
  readonly clock: Clock;
  readonly random: () => number;
  readonly scope: Scope;
  readonly issues: Issue[];
  readonly path: string;
}
