import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { resource } from '../../model/model-kit.ts';
import type { Listener } from '../snapshot.ts';
import { snapshotOf, webHost, webService } from '../translate-kit.ts';

const trafficPolicy = {
  loadBalancer: { consistentHash: { useSourceIp: true } },
  connectionPool: { tcp: { idleTimeout: '5s' } },
};
const ofSubset = resource('DestinationRule', 'web', {
  host: 'web',
  subsets: [{ name: 'v1', labels: { version: 'v1' }, trafficPolicy }],
});

function tcpProxyOf(listener: Listener | undefined) {
  const config = listener?.filterChains?.[0]?.filters?.at(-1)?.typedConfig;
  assert.ok(config !== undefined);
  return unpackAny(config, 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy');
}

test('a gateway keeps clients of TCP with their host, and ends silent connections, as the DestinationRule says', () => {
  const { listeners } = snapshotOf(
    [
      webService,
      ofSubset,
      resource('Gateway', 'edge', {
        selector: { istio: 'ingressgateway' },
        servers: [{ port: { number: 9000, name: 'tcp', protocol: 'TCP' }, hosts: ['*'] }],
      }),
      resource('VirtualService', 'web', {
        hosts: ['*'],
        gateways: ['edge'],
        tcp: [{ route: [{ destination: { host: 'web', subset: 'v1', port: { number: 9000 } } }] }],
      }),
    ],
    'router',
  );
  const { cluster, hashPolicy, idleTimeout } = tcpProxyOf([...listeners.values()][0]);
  assert.equal(cluster, `outbound|9000|v1|${webHost}`);
  assert.deepEqual(hashPolicy, [{ sourceIp: {} }]);
  assert.deepEqual(idleTimeout, { seconds: 5 });
});

test('a tunnel of a sidecar to a TCP port does so too', () => {
  const rule = resource('DestinationRule', 'web', { host: 'web', trafficPolicy });
  const hosts = snapshotOf([webService, rule]).routes.get('capture')?.virtualHosts ?? [];
  const [connect] = hosts.find(({ name }) => name === `${webHost}:9000`)?.routes ?? [];
  assert.deepEqual(connect?.route?.hashPolicy, [{ connectionProperties: { sourceIp: true } }]);
  assert.deepEqual(connect?.route?.idleTimeout, { seconds: 5, nanos: 0 });
});
