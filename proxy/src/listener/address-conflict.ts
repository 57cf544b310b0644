// Listeners that want one address: only one of them could have it. As Envoy, also where no socket is bound, since redirected
// connections find their listener by its address.

import { canonicalIp } from '@weft/lib/ip-address';
import type { Issue } from '@weft/lib/issue';
import type { CompiledListener } from './compile-listener.ts';

/** Reports each changed listener whose address is that of one that stays, or of a changed one before it. */
export function checkAddresses(
  changed: readonly CompiledListener[],
  staying: readonly CompiledListener[],
  pathOf: (name: string) => string,
): Issue[] {
  const issues: Issue[] = [];
  const owners = new Map(staying.map((listener) => [addressOf(listener), listener.name]));
  for (const listener of changed) {
    const address = addressOf(listener);
    if (address === '') continue;
    const owner = owners.get(address);
    if (owner === undefined) owners.set(address, listener.name);
    else {
      const message = `${address} is the address of the listener "${owner}" too; change one of them, or give both chains to one listener`;
      issues.push({ code: 'WEFT0847', level: 'error', path: `${pathOf(listener.name)}.address`, message });
    }
  }
  return issues;
}

/** Empty where the system chooses the port, and where others reach it by name. */
function addressOf({ address, unboundAddress }: CompiledListener): string {
  const own = address ?? unboundAddress;
  if (own === null) return '';
  if ('path' in own) return own.path;
  if (own.port === 0) return '';
  return own.host.includes(':') ? `[${canonicalIp(own.host)}]:${own.port}` : `${own.host}:${own.port}`;
}
