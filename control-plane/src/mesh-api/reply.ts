// What the mesh API answers: JSON, a stream, or a Kubernetes Status that says what went wrong.

import type { ServerResponse } from 'node:http';
import { formatWarning, type Issue } from '@weft/lib/issue';

/** An answer: text and bytes go out as they are, anything else as JSON. `stream` writes the body itself and ends it. */
export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly stream?: (response: ServerResponse) => void;
}

/** Kubernetes' reasons and their status codes. */
const reasonStatus = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
} as const;

export type FailureReason = keyof typeof reasonStatus;

/** What a failure is about. */
export interface FailureDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly causes?: readonly { readonly reason: string; readonly message: string; readonly field?: string }[];
}

/** A JSON answer. */
export function jsonReply(status: number, body: unknown, headers: Reply['headers'] = {}): Reply {
  return { status, body, headers };
}

/** A Kubernetes Status of a failure; `issues` are kept whole beside it for clients that know Weft. */
export function failure(
  reason: FailureReason,
  message: string,
  details: FailureDetails = {},
  issues: readonly Issue[] = [],
): Reply {
  const code = reasonStatus[reason];
  const body = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(Object.keys(details).length === 0 ? {} : { details }),
    code,
    ...(issues.length === 0 ? {} : { issues }),
  };
  return { status: code, body };
}

/** The Status of a resource that was refused, with every issue as a cause. */
export function invalidReply(kind: string, name: string, group: string, issues: readonly Issue[]): Reply {
  const errors = issues.filter((issue) => issue.level === 'error');
  const causes = errors.map((issue) => ({
    reason: causeReason(issue),
    message: `${issue.code}: ${issue.message}`,
    ...(issue.path === undefined ? {} : { field: issue.path }),
  }));
  const lines = errors.map((issue) => `${issue.path ?? 'resource'}: ${issue.code}: ${issue.message}`);
  const shown = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  return failure('Invalid', `${kind} "${name}" is invalid: ${shown}`, { name, group, kind, causes }, issues);
}

function causeReason(issue: Issue): string {
  if (issue.code === 'WEFT0409' || issue.code === 'WEFT0411') return 'FieldValueRequired';
  return issue.code === 'WEFT0415' ? 'FieldValueNotSupported' : 'FieldValueInvalid';
}

/** Clients read a bounded head: Node's 16 KiB, others less. */
const maxWarningChars = 6000;

/** `Warning` headers (RFC 9111 §5.5) of everything that is no error, as kubectl shows them. */
export function warningHeaders(issues: readonly Issue[]): Reply['headers'] {
  const texts = issues.filter((issue) => issue.level !== 'info').map((issue) => escapeWarning(formatWarning(issue)));
  const shown: string[] = [];
  let size = 0;
  for (const text of texts) {
    size += text.length;
    if (size > maxWarningChars) break;
    shown.push(text);
  }
  if (shown.length < texts.length) shown.push(`${texts.length - shown.length} more findings; weft analyze lists all`);
  return shown.length === 0 ? {} : { warning: shown.map((text) => `299 weft "${text}"`) };
}

/** As much of a text as a quoted string of a header may hold. */
export function escapeWarning(text: string): string {
  return text
    .replaceAll('’', "'")
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/["\\]/g, '\\$&')
    .slice(0, 1000);
}
