// Errors that a person reads: thrown at start-up and by tools, never on the request path.

/** An operational failure with a permanent code, told in one line; `cause` holds the chain for `--verbose`. */
export class WeftError extends Error {
  override readonly name = 'WeftError';
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Where it was thrown, for errors that nobody expected; empty when it does not say. */
export function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? '') : '';
}

/** The `code` of a system error (`ECONNREFUSED` ...), or an empty string. */
export function codeOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return '';
  return String(thrown.code);
}
