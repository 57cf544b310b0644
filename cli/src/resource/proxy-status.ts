// What the control plane knows of its proxies.
import type { ProxyStatus } from '@weft/control-plane/xds/proxy-status';
import type { MeshApiClient } from '@weft/local/mesh-api/client';

export type { ProxyStatus };

/** Asks for the status of every proxy that is or was connected. */
export async function fetchProxies(client: MeshApiClient): Promise<readonly ProxyStatus[]> {
  const answer = await client.request('/weft/v1/proxies');
  return (answer as { proxies: readonly ProxyStatus[] }).proxies;
}
