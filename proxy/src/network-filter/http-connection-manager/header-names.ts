// Names with an underscore, which some programs behind take for the same name with a dash (Envoy: headers_with_underscores_action).

import type { Headers } from '@weft/lib/header';
import type { UnderscoreStats } from './codec-stats.ts';

export type UnderscoreAction = 'allow' | 'reject' | 'drop';

/** Drops such headers, or says that there is one and the request is to be refused. */
export function applyUnderscoreAction(
  headers: Headers,
  action: Exclude<UnderscoreAction, 'allow'>,
  stats: UnderscoreStats,
): boolean {
  if (action === 'drop') {
    const dropped = headers.removeWhere(hasUnderscore);
    if (dropped > 0) stats.dropped.add(dropped);
    return false;
  }
  for (let slot = 0; slot < headers.slots; slot++) {
    if (!headers.present(slot) || !hasUnderscore(headers.nameAt(slot))) continue;
    stats.rejected.inc();
    return true;
  }
  return false;
}

function hasUnderscore(name: string): boolean {
  return name.includes('_');
}
