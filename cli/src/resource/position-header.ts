// Tells the mesh API where a resource was written down, so that findings and failed requests name file and line.
import type { Positions } from '@weft/control-plane/store/world';

/** The request headers for a resource from a file. */
export function positionHeaders(positions: Positions | null): Record<string, string> {
  if (positions === null) return {};
  return { 'x-weft-positions': Buffer.from(JSON.stringify(positions)).toString('base64url') };
}
