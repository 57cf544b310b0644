// Counts gRPC calls by their outcome, and messages in both directions, per cluster and where it is wanted per method.
// A method that the configuration does not list gets counters of its own only once an endpoint has answered it with something other
// than UNIMPLEMENTED, so that a client cannot use up the bound with names it made up.

import { isGrpcType, parseGrpcStatus } from '@weft/lib/grpc/header';
import type { Headers } from '@weft/lib/header';
import type { Stream } from '../../stream/stream.ts';
import { CONTINUE, type FilterStatus, type HttpFilter } from '../filter.ts';
import { MessageCounter } from './message-counter.ts';
import { methodOf } from './method-name.ts';
import { type CallStats, callStatsOf } from './method-stats.ts';

/** Which methods are told apart. */
export interface MethodChoice {
  /** `package.Service.Method`; null when there is no list. */
  readonly listed: ReadonlySet<string> | null;
  readonly all: boolean;
}

export interface GrpcStatsOptions {
  readonly choice: MethodChoice;
  /** Dots in the names of services become underscores. */
  readonly underscores: boolean;
  /** Whether the time of the endpoint is recorded. */
  readonly hasTimes: boolean;
}

const unimplemented = 12;

/** What the filter remembers of a gRPC call. */
class Call {
  /** Null where it is not told apart. */
  readonly method: string | null;
  readonly requests: MessageCounter = new MessageCounter();
  readonly responses: MessageCounter = new MessageCounter();
  /** Where the call counts, once that is known. */
  stats: CallStats | null = null;
  /** Messages sent before. */
  uncounted = 0;

  constructor(method: string | null) {
    this.method = method;
  }
}

/** One statistics filter of a chain. */
export class GrpcStatsFilter implements HttpFilter {
  readonly name: string;
  slot = -1;
  readonly onRequestHead: (stream: Stream) => FilterStatus;
  readonly onRequestData: NonNullable<HttpFilter['onRequestData']>;
  readonly onRequestTrailers = null;
  readonly onResponseHead: (stream: Stream, endStream: boolean) => FilterStatus;
  readonly onResponseData: NonNullable<HttpFilter['onResponseData']>;
  readonly onResponseTrailers: (stream: Stream) => FilterStatus;
  readonly onComplete: (stream: Stream) => void;
  private readonly options: GrpcStatsOptions;

  constructor(name: string, options: GrpcStatsOptions) {
    this.name = name;
    this.options = options;
    this.onRequestHead = (stream) => this.open(stream);
    this.onRequestData = (stream, buffer, offset, length) => this.onRequest(stream, buffer, offset, length);
    this.onResponseHead = (stream, endStream) => this.onHead(stream, endStream);
    this.onResponseData = (stream, buffer, offset, length) => this.onResponse(stream, buffer, offset, length);
    this.onResponseTrailers = (stream) => this.onTrailers(stream);
    this.onComplete = (stream) => this.finish(stream);
  }

  private callOf(stream: Stream): Call | undefined {
    return stream.filterState[this.slot] as Call | undefined;
  }

  private open(stream: Stream): FilterStatus {
    if (isGrpcType(stream.requestHeaders.get('content-type'))) {
      stream.filterState[this.slot] = new Call(this.methodOf(stream));
    }
    return CONTINUE;
  }

  private methodOf(stream: Stream): string | null {
    const { choice, underscores } = this.options;
    if (!choice.all && choice.listed === null) return null;
    const method = methodOf(stream.path, underscores);
    return method !== null && (choice.listed?.has(method) ?? true) ? method : null;
  }

  private onRequest(stream: Stream, buffer: Buffer, offset: number, length: number): FilterStatus {
    const call = this.callOf(stream);
    if (call === undefined) return CONTINUE;
    const messages = call.requests.count(buffer, offset, length);
    call.stats ??= this.knownStats(stream, call);
    if (call.stats === null) call.uncounted += messages;
    else call.stats.requestMessages.value += messages;
    return CONTINUE;
  }

  /** Where a call counts before there is an answer; null when that depends on the answer. */
  private knownStats(stream: Stream, call: Call): CallStats | null {
    if (stream.cluster === null) return null;
    const cluster = callStatsOf(stream.cluster.scope);
    if (call.method === null) return cluster.all;
    return this.options.choice.listed === null ? cluster.find(call.method) : cluster.listed(call.method);
  }

  private settle(stream: Stream, call: Call, status: number | null): CallStats | null {
    if (call.stats === null && stream.cluster !== null) {
      call.stats = this.knownStats(stream, call) ?? this.newStats(stream, call, status);
      if (call.stats !== null) call.stats.requestMessages.value += call.uncounted;
      call.uncounted = 0;
    }
    return call.stats;
  }

  private newStats(stream: Stream, call: Call, status: number | null): CallStats | null {
    if (stream.cluster === null) return null;
    const cluster = callStatsOf(stream.cluster.scope);
    const isReal = stream.responseStartMs >= 0 && status !== unimplemented;
    return isReal && call.method !== null ? cluster.admit(call.method) : cluster.all;
  }

  private onHead(stream: Stream, endStream: boolean): FilterStatus {
    const call = this.callOf(stream);
    const headers = stream.responseHeaders;
    if (call === undefined || headers === null) return CONTINUE;
    if (endStream) this.record(stream, call, headers);
    else if (isGrpcType(headers.get('content-type'))) this.settle(stream, call, null);
    return CONTINUE;
  }

  private onResponse(stream: Stream, buffer: Buffer, offset: number, length: number): FilterStatus {
    const call = this.callOf(stream);
    if (call !== undefined && call.stats !== null) {
      call.stats.responseMessages.value += call.responses.count(buffer, offset, length);
    }
    return CONTINUE;
  }

  private onTrailers(stream: Stream): FilterStatus {
    const call = this.callOf(stream);
    if (call !== undefined && stream.responseTrailers !== null) this.record(stream, call, stream.responseTrailers);
    return CONTINUE;
  }

  private record(stream: Stream, call: Call, from: Headers): void {
    const text = from.get('grpc-status');
    if (text === undefined) return;
    const status = parseGrpcStatus(text);
    this.settle(stream, call, status)?.recordStatus(status);
  }

  private finish(stream: Stream): void {
    const call = this.callOf(stream);
    if (call === undefined) return;
    // A call without an answer: its messages were sent all the same.
    const stats = this.settle(stream, call, unimplemented);
    if (this.options.hasTimes && stream.responseStartMs >= 0) stats?.recordTime(stream.endMs - stream.upstreamStartMs);
  }
}
