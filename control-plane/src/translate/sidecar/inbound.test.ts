import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meshOf, resource } from '../../model/model-kit.ts';
import { parseProxyNode } from '../proxy-node.ts';
import { virtualInbound } from './inbound.ts';

test("a port's own mode goes by the number of the workload, not of the service, and callers agree", () => {
  const id = 'sidecar~10.0.0.1~web-1.default~default.svc.cluster.local';
  const node = parseProxyNode({ id, metadata: { LABELS: { app: 'web' }, INTERCEPTION_MODE: 'REDIRECT' } }, []);
  assert.ok(node !== null);
  const labels = { app: 'web', 'security.istio.io/tlsMode': 'istio' };
  /** Whether the workload's port 8080 takes plain text, and whether callers speak mutual TLS to it. */
  const outcome = (port: number) => {
    const mesh = meshOf([
      resource('Service', 'web', { ports: [{ name: 'http', port: 80, targetPort: 8080 }], selector: { app: 'web' } }),
      resource('WorkloadEntry', 'web', { address: '10.0.0.1', labels }),
      resource('PeerAuthentication', 'web', {
        selector: { matchLabels: { app: 'web' } },
        portLevelMtls: { [port]: { mode: 'DISABLE' } },
      }),
    ]);
    const [listener] = virtualInbound(mesh, node).listeners;
    const chains = (listener?.filterChains ?? []).filter((chain) => chain.filterChainMatch?.destinationPort === 8080);
    assert.ok(chains.length > 0);
    const [endpoint] = [...mesh.endpoints.values()].flat();
    return [chains.some(({ transportSocket }) => transportSocket === undefined), endpoint?.mutualTls];
  };
  assert.deepEqual(outcome(8080), [true, false]);
  assert.deepEqual(outcome(80), [false, true]);
});
