// What the exit status of `weft` says. Documented in `weft --help`; a number never changes its meaning.
import { WeftError } from '@weft/lib/error';

export const exitCode = {
  ok: 0,
  /** It did not work, or it found something: errors in `analyze`, differences in `diff`. */
  failed: 1,
  /** The command line was wrong. */
  usage: 2,
  /** No mesh is running here, or it does not answer. */
  noMesh: 3,
  /** `--wait` ended before the mesh had carried the change out. */
  timeout: 4,
} as const;

const usageCode = 'WEFT0822';

/** The command line was understood by its grammar, but makes no sense. */
export function usageError(message: string): WeftError {
  return new WeftError(usageCode, message);
}

/** The status for an error by its code. */
export function exitCodeOf(code: string): number {
  if (code === usageCode) return exitCode.usage;
  return code === 'WEFT0801' || code === 'WEFT0807' ? exitCode.noMesh : exitCode.failed;
}
