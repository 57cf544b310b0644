import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBootstrap } from '../bootstrap/load-bootstrap.ts';
import { type AdsSettings, readAdsSettings } from './ads-settings.ts';

function settings(ads: string, cluster = ''): AdsSettings | null {
  const text = `
node: { id: n }
dynamic_resources:
  cds_config: { ads: {}, initial_fetch_timeout: 0s }
  ads_config: ${ads}
static_resources:
  clusters:
    - { name: xds, type: STATIC ${cluster} }
`;
  const { bootstrap, issues } = parseBootstrap(text, 'b.yaml');
  assert.ok(bootstrap !== null, JSON.stringify(issues));
  return readAdsSettings(bootstrap);
}

test('reads the stream to the control plane, with defaults', () => {
  assert.deepEqual(settings('{ api_type: GRPC, grpc_services: [{ envoy_grpc: { cluster_name: xds } }] }'), {
    clusterName: 'xds',
    authority: 'xds',
    variant: 'GRPC',
    nodeOnce: false,
    metadata: {},
    wantsClusters: true,
    wantsListeners: false,
    clusterTimeoutMs: 0,
    listenerTimeoutMs: 15_000,
    messageLimitBytes: 128 * 1024 * 1024,
    pingIntervalMs: 60_000,
    pingTimeoutMs: 10_000,
  });
});

test('reads everything that can be set', () => {
  const ads = `
    api_type: DELTA_GRPC
    set_node_on_first_message_only: true
    grpc_services:
      - envoy_grpc: { cluster_name: xds, authority: cp.example, max_receive_message_length: 1000 }
        initial_metadata: [{ key: X-Token, value: t }]`;
  const cluster = `, typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: 5s, timeout: 2s } } } } }`;
  const read = settings(ads, cluster);
  assert.deepEqual(
    [read?.variant, read?.nodeOnce, read?.authority, read?.messageLimitBytes, read?.metadata],
    ['DELTA_GRPC', true, 'cp.example', 1000, { 'x-token': 't' }],
  );
  assert.deepEqual([read?.pingIntervalMs, read?.pingTimeoutMs], [5_000, 2_000]);
});

test('is null without an ads_config', () => {
  assert.equal(readAdsSettings({}), null);
  assert.equal(readAdsSettings({ dynamicResources: {} }), null);
});
