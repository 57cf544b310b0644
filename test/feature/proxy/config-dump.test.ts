// What `/config_dump` says of a proxy that has everything from its bootstrap.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cluster, httpManager, listener, routeTo, startTestProxy } from './fixture.ts';

it('shows the routes that stand in listeners, and the endpoints that stand in clusters', async (context) => {
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a')]))],
    clusters: [cluster('a', [1234])],
  }));
  const ask = async (query: string) => {
    const { configs } = (await proxy.adminJson(`/config_dump?include_eds&resource=${query}`)) as { configs: object[] };
    return JSON.stringify(configs);
  };
  assert.match(await ask('static_route_configs'), /"route_config":\{[^}]*"name":"local".*"cluster":"a"/);
  assert.match(await ask('static_endpoint_configs'), /"endpoint_config":\{[^}]*"cluster_name":"a".*"port_value":1234/);
  assert.equal(await ask('static_endpoint_configs&name_regex=b'), '[]');
  assert.match(await ask('static_endpoint_configs&name_regex=a'), /1234/);
});
