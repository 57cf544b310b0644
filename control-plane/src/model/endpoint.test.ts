import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource } from '@weft/api/resource/kind';
import type { Endpoint } from './endpoint.ts';
import { meshOf, resource } from './model-kit.ts';

const web = resource('Service', 'web', {
  ports: [{ name: 'http', port: 80, targetPort: 8080 }],
  selector: { app: 'web' },
});
const process = { annotations: { 'weft.dev/process': 'web' } };

function endpointsOf(...more: AnyResource[]): readonly Endpoint[] {
  const mesh = meshOf([...(more.some(({ kind }) => kind === 'Service') ? [] : [web]), ...more]);
  return mesh.endpoints.get('default/web.default.svc.cluster.local:80') ?? [];
}

test('a service selects workloads of its namespace by their labels', () => {
  const found = endpointsOf(
    resource('WorkloadEntry', 'a', { address: '10.0.0.1', labels: { app: 'web' } }),
    resource('WorkloadEntry', 'b', { address: '10.0.0.2' }, { labels: { app: 'web' } }),
    resource('WorkloadEntry', 'c', { address: '10.0.0.3', labels: { app: 'other' } }),
    resource('WorkloadEntry', 'elsewhere/d', { address: '10.0.0.4', labels: { app: 'web' } }),
    resource('WorkloadEntry', 'e', { labels: { app: 'web' } }),
    resource('WorkloadEntry', 'f', { address: 'name.example', labels: { app: 'web' } }),
  );
  assert.deepEqual(
    found.map(({ address, port, weight }) => [address, port, weight]),
    [
      ['10.0.0.1', 8080, 1],
      ['10.0.0.2', 8080, 1],
    ],
  );
});

test('a workload says its own port by the name of the service port, or by having one only', () => {
  const at = (ports: Record<string, number>) =>
    endpointsOf(resource('WorkloadEntry', 'a', { address: '10.0.0.1', labels: { app: 'web' }, ports }))[0]?.port;
  assert.equal(at({ http: 9001, admin: 9002 }), 9001);
  assert.equal(at({ main: 9003 }), 9003);
  assert.equal(at({ main: 9003, admin: 9004 }), 8080);
  assert.equal(at({}), 8080);
});

test('a port may be called like a member of every object', () => {
  const named = resource('Service', 'web', {
    ports: [
      { name: 'constructor', port: 80, targetPort: 'valueOf' },
      { name: 'admin', port: 81 },
    ],
    selector: { app: 'web' },
  });
  const entry = resource('WorkloadEntry', 'a', { address: '10.0.0.1', labels: { app: 'web' }, ports: { http: 9001 } });
  assert.equal(endpointsOf(named, entry)[0]?.port, 80);
});

test('a process of the local mesh has an identity and speaks mutual TLS, unless it has no sidecar', () => {
  const spec = { address: '127.0.0.1', labels: { app: 'web' }, serviceAccount: 'web' };
  const [proxied] = endpointsOf(resource('WorkloadEntry', 'a', spec, process));
  assert.deepEqual([proxied?.identity, proxied?.mutualTls], ['spiffe://cluster.local/ns/default/sa/web', true]);
  const bare = resource('Process', 'web', { command: ['x'], proxy: { enabled: false } });
  const [unproxied] = endpointsOf(resource('WorkloadEntry', 'a', spec, process), bare);
  assert.deepEqual([unproxied?.identity, unproxied?.mutualTls], [null, false]);
  const [outside] = endpointsOf(resource('WorkloadEntry', 'a', spec));
  assert.equal(outside?.mutualTls, false);
  const labelled = { ...spec, labels: { app: 'web', 'security.istio.io/tlsMode': 'istio' } };
  assert.equal(endpointsOf(resource('WorkloadEntry', 'a', labelled))[0]?.mutualTls, true);
});

test('a workload that turns mutual TLS off is called in the clear, by its port as workload or as service', () => {
  const entry = resource('WorkloadEntry', 'a', { address: '127.0.0.1', labels: { app: 'web' } }, process);
  const off = (spec: object) =>
    resource('PeerAuthentication', 'web', { selector: { matchLabels: { app: 'web' } }, ...spec });
  assert.equal(endpointsOf(entry, off({ mtls: { mode: 'DISABLE' } }))[0]?.mutualTls, false);
  assert.equal(endpointsOf(entry, off({ portLevelMtls: { 8080: { mode: 'DISABLE' } } }))[0]?.mutualTls, false);
  assert.equal(endpointsOf(entry, off({ portLevelMtls: { 80: { mode: 'DISABLE' } } }))[0]?.mutualTls, false);
  assert.equal(endpointsOf(entry, off({ portLevelMtls: { 81: { mode: 'DISABLE' } } }))[0]?.mutualTls, true);
});

test('a workload whose status says so is unhealthy', () => {
  const entry = resource('WorkloadEntry', 'a', { address: '127.0.0.1', labels: { app: 'web' } });
  const status = {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Healthy', status: 'False' },
    ],
  };
  assert.equal(endpointsOf({ ...entry, status })[0]?.isHealthy, false);
  assert.equal(endpointsOf({ ...entry, status: { conditions: 'none' } })[0]?.isHealthy, true);
});
