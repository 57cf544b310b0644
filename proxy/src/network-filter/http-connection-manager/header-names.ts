// Names with an underscore, which some programs behind take for the same name with a dash (Envoy: headers_with_underscores_action).

import type { Headers } from '@weft/lib/header';
import type { UnderscoreStats } from './codec-stats.ts';

export type UnderscoreAction = 'allow' | 'reject' | 'drop';

/** Drops such headers, or says that there is one and the request is to be refused. */
export function applyUnderscoreAction(headers: Headers, action: UnderscoreAction, stats: UnderscoreStats): boolean {
  for (let slot = headers.slots - 1; slot >= 0; slot--) {
    if (!headers.present(slot)) continue;
    const name = headers.nameAt(slot);
    if (!name.includes('_')) continue;
    if (action === 'reject') {
      stats.rejected.inc();
      return true;
    }
    stats.dropped.inc();
    headers.remove(name);
    // Removing may have renumbered what comes behind.
    slot = Math.min(slot, headers.slots);
  }
  return false;
}
