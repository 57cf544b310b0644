// A control plane that takes away by the incremental protocol what is still referred to: it serves on, as in Envoy.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { fetchOnce, openClient } from '../../kit/client.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until } from '../../kit/until.ts';
import { startUpstream } from '../../kit/upstream.ts';
import { type Json, listenerMessage, pushDelta, startDynamic } from './dynamic.ts';
import { httpManager, listener, routeTo } from './fixture.ts';
import { everyWorkerServes, killWorker } from './workers/fixture.ts';

const source: Json = { ads: {}, resource_api_version: 'V3' };
const rds: Json = { route_config: undefined, rds: { route_config_name: 'r', config_source: source } };
const web = listenerMessage(listener('main', httpManager([], { manager: rds })));

function routes(): object {
  const json = { name: 'r', virtual_hosts: [{ name: 'all', domains: ['*'], routes: [routeTo('a')] }] };
  return messageFromJson('envoy.config.route.v3.RouteConfiguration', json, []);
}

function discovered(timeout: string): object {
  const json = { name: 'a', type: 'EDS', connect_timeout: timeout, eds_cluster_config: { eds_config: source } };
  return messageFromJson('envoy.config.cluster.v3.Cluster', json, []);
}

function endpointAt(port: number): object {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  const json = { cluster_name: 'a', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] };
  return messageFromJson('envoy.config.endpoint.v3.ClusterLoadAssignment', json, []);
}

for (const workers of process.platform === 'linux' ? [1, 2] : [1]) {
  describe(`what a control plane takes away, ${workers} ${workers === 1 ? 'worker' : 'workers'}`, () => {
    it('serves as long as something refers to it, also from a changed cluster and in a worker that comes later', async (context) => {
      const upstream = await startUpstream(context);
      const { proxy, stream } = await startDynamic(context, workers, 'DELTA_GRPC');
      assert.equal(await pushDelta(stream, 'cluster', '1', { a: discovered('1s') }), null);
      assert.equal(await pushDelta(stream, 'endpoint', '1', { a: endpointAt(upstream.port) }), null);
      assert.equal(await pushDelta(stream, 'listener', '1', { main: web }), null);
      assert.equal(await pushDelta(stream, 'route', '1', { r: routes() }), null);
      await everyWorkerServes(proxy);

      assert.equal(await pushDelta(stream, 'route', '2', {}, ['r']), null);
      assert.equal(await pushDelta(stream, 'endpoint', '2', {}, ['a']), null);
      assert.equal(await pushDelta(stream, 'cluster', '2', { a: discovered('2s') }), null);
      await everyWorkerServes(proxy);
      assert.equal(proxy.stat('cluster_manager.warming_clusters'), 0);
      assert.equal((await fetchOnce(context, proxy.port(), '/')).status, 200);

      if (workers === 1) return;
      for (const worker of [0, 1]) await killWorker(proxy, worker);
      await everyWorkerServes(proxy);
      assert.equal((await fetchOnce(context, proxy.port(), '/')).status, 200);
    });
  });
}

describe('the statistics of a listener', () => {
  const own = (name: string, prefix: string, more: Json = {}) =>
    listenerMessage({
      ...listener(name, httpManager([], { manager: { stat_prefix: prefix } })),
      stat_prefix: name,
      ...more,
    });

  it('go when its connections must be over, unless another counts in them too', async (context) => {
    const clock = new LeapClock();
    const { proxy, stream } = await startDynamic(context, 1, 'DELTA_GRPC', clock);
    const counted = async () => {
      const { body } = await proxy.admin('GET', '/stats');
      return [...new Set(body.match(/^(?:listener|http)\.(?:gone|own|both|main)(?=\.)/gm))].sort();
    };
    assert.equal(await pushDelta(stream, 'cluster', '1', {}), null);
    const both = { gone: own('gone', 'both'), main: own('main', 'both') };
    assert.equal(await pushDelta(stream, 'listener', '1', both), null);
    assert.equal(await pushDelta(stream, 'listener', '2', { gone: own('gone', 'own') }), null);
    assert.equal(await pushDelta(stream, 'listener', '3', {}, ['gone']), null);
    const all = ['http.both', 'http.own', 'listener.gone', 'listener.main'];
    assert.deepEqual(await counted(), all);
    await clock.leap(602_000);
    assert.deepEqual(await counted(), ['http.both', 'listener.main']);
    assert.equal(await pushDelta(stream, 'listener', '4', { gone: own('gone', 'own') }), null);
    assert.deepEqual(await counted(), all);
  });

  it('are not there when it was refused', async (context) => {
    const { proxy, stream } = await startDynamic(context, 1, 'DELTA_GRPC');
    assert.equal(await pushDelta(stream, 'cluster', '1', {}), null);
    const faulty = own('faulty', 'faulty', { listener_filters: [{ name: 'no_such' }] });
    assert.match((await pushDelta(stream, 'listener', '1', { faulty })) ?? '', /WEFT0395/);
    assert.doesNotMatch((await proxy.admin('GET', '/stats')).body, /faulty/);
  });

  it('go on under the name that a later version gives it', async (context) => {
    const clock = new LeapClock();
    const { proxy, stream } = await startDynamic(context, 1, 'DELTA_GRPC', clock);
    assert.equal(await pushDelta(stream, 'cluster', '1', {}), null);
    assert.equal(await pushDelta(stream, 'listener', '1', { web: own('web', 'web') }), null);
    const before = await openClient(context, proxy.port('web'));
    const active = (prefix: string) => proxy.stat(`listener.${prefix}.downstream_cx_active`);
    await until('the connection is counted', () => active('web') === 1);
    assert.equal(await pushDelta(stream, 'listener', '2', { web: own('web', 'web', { stat_prefix: 'new' }) }), null);
    await openClient(context, proxy.port('web'));
    await until('the next one is, too', () => active('new') === 1);
    before.close();
    await until('the first one is over', () => active('web') === 0);
    assert.equal(active('new'), 1);
    await clock.leap(602_000);
    assert.equal(proxy.stat('listener.new.downstream_cx_total'), 1);
  });

  it('are those of its inspectors too', async (context) => {
    const clock = new LeapClock();
    const { proxy, stream } = await startDynamic(context, 1, 'DELTA_GRPC', clock);
    const counted = async () => (await proxy.admin('GET', '/stats')).body.includes('proxy_proto.own');
    const inspector = {
      name: 'proxy_protocol',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol',
        stat_prefix: 'own',
      },
    };
    assert.equal(await pushDelta(stream, 'cluster', '1', {}), null);
    const web = own('web', 'web', { listener_filters: [inspector] });
    assert.equal(await pushDelta(stream, 'listener', '1', { web }), null);
    assert.equal(await counted(), true);
    const faulty = own('web', 'web', { listener_filters: [inspector, { name: 'no_such' }] });
    assert.match((await pushDelta(stream, 'listener', '2', { web: faulty })) ?? '', /WEFT0395/);
    assert.equal(await counted(), true);
    assert.equal(await pushDelta(stream, 'listener', '3', {}, ['web']), null);
    await clock.leap(602_000);
    assert.equal(await counted(), false);
  });
});
