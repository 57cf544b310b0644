// With which status the control plane ends, so that whoever keeps it running knows what to expect of another start.

import { WeftError } from '@weft/lib/error';

export const exitStatus = {
  stopped: 0,
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** It cannot start before somebody mends what it says (sysexits' EX_CONFIG). */
  unusable: 78,
} as const;

const usageCode = 'WEFT0625';
/** A token, a store or an authority that is broken stays broken. */
const lastingCodes: ReadonlySet<string> = new Set([
  'WEFT0520',
  'WEFT0521',
  'WEFT0620',
  'WEFT0623',
  'WEFT0624',
  'WEFT0626',
  'WEFT0750',
  'WEFT0751',
  'WEFT0752',
]);

/** The status for what ended a start. */
export function exitStatusOf(error: unknown): number {
  if (!(error instanceof WeftError)) return exitStatus.failed;
  if (error.code === usageCode) return exitStatus.usage;
  return lastingCodes.has(error.code) ? exitStatus.unusable : exitStatus.failed;
}
