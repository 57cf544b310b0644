// Envoy's `RetryPolicy`: which outcomes call for another try, how many, and how long to wait.

import type { envoy } from '@weft/api/xds/types';
import type { Headers } from '@weft/lib/header';
import { durationMs } from '@weft/lib/protobuf/duration';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import { compileRequestHeaderMatcher, type HeaderMatcher } from './header-matcher.ts';
import type { RoutedRequest } from './routed-request.ts';

type RetryPolicyConfig = envoy.config.route.v3.RetryPolicy;

/** Words of `retry_on`, and the field each sets. */
const words = {
  '5xx': 'on5xx',
  'gateway-error': 'onGatewayError',
  reset: 'onReset',
  'reset-before-request': 'onResetBeforeRequest',
  'connect-failure': 'onConnectFailure',
  'retriable-4xx': 'onRetriable4xx',
  'refused-stream': 'onRefusedStream',
  'retriable-status-codes': 'onStatuses',
  'retriable-headers': 'onRetriableHeaders',
  'envoy-ratelimited': 'onRateLimited',
  'non-idempotent': 'retriesNonIdempotent',
} as const;

/** gRPC words and the `grpc-status` each stands for. */
const grpcWords: Readonly<Record<string, number>> = {
  cancelled: 1,
  'deadline-exceeded': 4,
  'resource-exhausted': 8,
  internal: 13,
  unavailable: 14,
};

// HTTP/3 is not spoken, so its condition never arises.
const harmlessWords: ReadonlySet<string> = new Set(['http3-post-connect-failure']);

type Condition = (typeof words)[keyof typeof words];

export interface RetryPolicy extends Readonly<Record<Condition, boolean>> {
  /** Tries after the first. */
  readonly numRetries: number;
  /** 0: no limit of its own. */
  readonly perTryTimeoutMs: number;
  readonly perTryIdleTimeoutMs: number;
  /** Response statuses that call for another try, where `onStatuses` holds. */
  readonly statuses: ReadonlySet<number>;
  readonly grpcStatuses: ReadonlySet<number>;
  readonly backOffBaseMs: number;
  readonly backOffMaxMs: number;
  /** Another try goes to another host where there is one. */
  readonly avoidsPreviousHosts: boolean;
  readonly hostSelectionAttempts: number;
  /** Whether response headers call for another try, where `onRetriableHeaders` holds. */
  matchesHeaders(headers: Headers): boolean;
  /** Whether the policy holds for that request at all. */
  appliesTo(request: RoutedRequest): boolean;
}

const previousHosts = 'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate';

/** Reports everything wrong with it. */
export function compileRetryPolicy(config: RetryPolicyConfig, sink: IssueSink): RetryPolicy {
  const conditions = compileRetryWords(config.retryOn ?? '', sinkAt(sink, 'retry_on'));
  const responses = compileHeaders(config.retriableHeaders, sinkAt(sink, 'retriable_headers'));
  const requests = compileHeaders(config.retriableRequestHeaders, sinkAt(sink, 'retriable_request_headers'));
  const backOff = compileBackOff(config, sinkAt(sink, 'retry_back_off'));
  checkPredicates(config, sink);
  return {
    ...conditions.flags,
    numRetries: config.numRetries ?? 1,
    perTryTimeoutMs: durationMs(config.perTryTimeout),
    perTryIdleTimeoutMs: durationMs(config.perTryIdleTimeout),
    statuses: new Set(config.retriableStatusCodes),
    grpcStatuses: conditions.grpcStatuses,
    ...backOff,
    avoidsPreviousHosts: (config.retryHostPredicate ?? []).length > 0,
    hostSelectionAttempts: Number(config.hostSelectionRetryMaxAttempts ?? 1),
    matchesHeaders: (headers) => responses.some((matcher) => matcher.matches(headers)),
    appliesTo: (request) => requests.length === 0 || requests.some((matcher) => matcher.matchesRequest(request)),
  };
}

interface Conditions {
  readonly flags: Record<Condition, boolean>;
  readonly grpcStatuses: ReadonlySet<number>;
}

/** The words of `retry_on`; reports those that are none. */
export function compileRetryWords(text: string, sink: IssueSink): Conditions {
  const flags = Object.fromEntries(Object.values(words).map((name) => [name, false])) as Record<Condition, boolean>;
  const grpcStatuses = new Set<number>();
  for (const word of text.split(',').map((part) => part.trim())) {
    if (word === '' || harmlessWords.has(word)) continue;
    const grpcStatus = Object.hasOwn(grpcWords, word) ? grpcWords[word] : undefined;
    if (grpcStatus !== undefined) grpcStatuses.add(grpcStatus);
    else if (Object.hasOwn(words, word)) flags[words[word as keyof typeof words]] = true;
    // Istio writes status codes among the words; Envoy takes them from their own field only.
    else
      reportError(
        sink,
        'WEFT0320',
        `"${word}" is no condition; use ${[...Object.keys(words), ...Object.keys(grpcWords)].join(', ')}`,
      );
  }
  return { flags, grpcStatuses };
}

function compileHeaders(
  configs: readonly envoy.config.route.v3.HeaderMatcher[] | undefined,
  sink: IssueSink,
): HeaderMatcher[] {
  return (configs ?? []).flatMap((config, i) => {
    const matcher = compileRequestHeaderMatcher(config, { issues: sink.issues, path: `${sink.path}[${i}]` });
    return matcher === null ? [] : [matcher];
  });
}

// Envoy's defaults: 25 ms, and ten times the base at most.
function compileBackOff(config: RetryPolicyConfig, sink: IssueSink): { backOffBaseMs: number; backOffMaxMs: number } {
  const given = config.retryBackOff;
  if (given === undefined) return { backOffBaseMs: 25, backOffMaxMs: 250 };
  const backOffBaseMs = Math.max(1, durationMs(given.baseInterval));
  const backOffMaxMs = given.maxInterval === undefined ? 10 * backOffBaseMs : durationMs(given.maxInterval);
  if (durationMs(given.baseInterval) <= 0) {
    reportError(sinkAt(sink, 'base_interval'), 'WEFT0321', 'the base interval must be more than zero');
  } else if (backOffMaxMs < backOffBaseMs) {
    reportError(sinkAt(sink, 'max_interval'), 'WEFT0321', 'the maximum must be no less than the base interval');
  }
  return { backOffBaseMs, backOffMaxMs };
}

function checkPredicates(config: RetryPolicyConfig, sink: IssueSink): void {
  (config.retryHostPredicate ?? []).forEach((predicate, i) => {
    const type = predicate.typedConfig?.typeUrl ?? '';
    if (
      type.endsWith(`/${previousHosts}`) ||
      (type === '' && predicate.name === 'envoy.retry_host_predicates.previous_hosts')
    )
      return;
    const problem = `"${predicate.name ?? type}" is not carried out; use ${previousHosts}`;
    reportError(sinkAt(sink, `retry_host_predicate[${i}]`), 'WEFT0322', problem);
  });
  const attempts = Number(config.hostSelectionRetryMaxAttempts ?? 1);
  if (attempts < 0)
    reportError(sinkAt(sink, 'host_selection_retry_max_attempts'), 'WEFT0322', 'the number must not be negative');
  (config.retriableStatusCodes ?? []).forEach((status, i) => {
    if (status >= 100 && status <= 599) return;
    reportError(
      sinkAt(sink, `retriable_status_codes[${i}]`),
      'WEFT0323',
      `${status} is no HTTP status; give 100 to 599`,
    );
  });
}
