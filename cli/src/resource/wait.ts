// Waits until every connected proxy has carried a revision of the mesh out.
import { setTimeout as sleep } from 'node:timers/promises';
import type { MeshApiClient } from '@weft/local/mesh-api/client';
import { fetchProxies, type ProxyStatus } from './proxy-status.ts';

const pollMs = 50;

/** Resolves to what is missing, in words; empty when nothing is. */
export async function waitForRevision(client: MeshApiClient, revision: number, timeoutMs: number): Promise<string[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const proxies = await fetchProxies(client);
    const late = proxies.filter((proxy) => proxy.isConnected && !hasRevision(proxy, revision));
    const refused = late.filter((proxy) => proxy.lastNack !== null);
    if (late.length === 0) return [];
    // A refusal does not mend itself: waiting on would only hide it.
    if (refused.length === late.length || performance.now() >= deadline) return late.map(describe);
    await sleep(pollMs);
  }
}

function hasRevision(proxy: ProxyStatus, revision: number): boolean {
  return proxy.isInSync && proxy.wantedRevision >= revision;
}

function describe(proxy: ProxyStatus): string {
  const name = `${proxy.workload} in namespace ${proxy.namespace}`;
  if (proxy.lastNack === null) return `${name} has revision ${proxy.ackedRevision} of ${proxy.wantedRevision}`;
  return `${name} refused ${proxy.lastNack.type} of revision ${proxy.lastNack.revision}: ${proxy.lastNack.message}`;
}
