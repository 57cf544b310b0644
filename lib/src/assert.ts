// The one assertion of the code base: a broken invariant ends the process, which its supervisor restarts, or in the proxy the connection
// whose bytes came upon it.

/** Throws when `condition` is false. Only for programmer errors, never for input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks code that cannot be reached; the argument proves it to the type checker. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value: ${String(value)}`);
}

/** An invariant of ours was broken: a defect in Weft, never a user's mistake. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}
