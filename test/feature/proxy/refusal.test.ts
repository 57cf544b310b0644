// What a listener may not say: every finding at once, each with the code of its cause and its place.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '@weft/lib/clock';
import { formatIssue, type Issue } from '@weft/lib/issue';
import { silentLog } from '@weft/lib/log';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { startProxy } from '@weft/proxy/proxy';
import { cluster, httpManager, listener, routeTo, tcpProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const unknownType = 'type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors';

async function findings(...listeners: Json[]): Promise<string[]> {
  const issues: Issue[] = [];
  const bootstrap = messageFromJson('envoy.config.bootstrap.v3.Bootstrap', { static_resources: { listeners } }, issues);
  assert.deepEqual(issues.map(formatIssue), []);
  const options = { bootstrap, configPath: 'test', log: silentLog(systemClock), clock: systemClock };
  try {
    await startProxy({ ...options, onlyValidates: true });
  } catch (error) {
    assert.ok(error instanceof Error);
    return error.message
      .split('\n')
      .map((line) => `${/WEFT\d{4}/.exec(line)?.[0]} ${/listener\[[^:]*/.exec(line)?.[0]}`);
  }
  return [];
}

describe('validation', () => {
  it('resolves no name', async () => {
    const issues: Issue[] = [];
    const clusters = [{ ...cluster('a', []), type: 'STRICT_DNS', load_assignment: named('no-such-host.invalid') }];
    const json = { static_resources: { clusters } };
    const bootstrap = messageFromJson('envoy.config.bootstrap.v3.Bootstrap', json, issues);
    const asked: string[] = [];
    const resolver = {
      resolve: (name: string) => {
        asked.push(name);
        return Promise.resolve({ addresses: [], ttlMs: null });
      },
    };
    const options = { bootstrap, configPath: 'test', log: silentLog(systemClock), clock: systemClock, resolver };
    const validated = await startProxy({ ...options, onlyValidates: true });
    await validated.stop(0);
    assert.deepEqual(asked, []);
    const started = await startProxy(options);
    await started.stop(0);
    assert.deepEqual(asked, ['no-such-host.invalid']);
  });
});

function named(address: string): Json {
  const endpoint = { address: { socket_address: { address, port_value: 80 } } };
  return { cluster_name: 'a', endpoints: [{ lb_endpoints: [{ endpoint }] }] };
}

describe('a listener', () => {
  it('is refused for its address and filters, by a code for each cause', async () => {
    const strange = { name: 'strange', typed_config: { '@type': unknownType } };
    assert.deepEqual(
      await findings(
        { name: 'a' },
        { name: 'b', address: { socket_address: { address: 'localhost', port_value: 0, protocol: 'UDP' } } },
        { ...listener('c', tcpProxy('x'), tcpProxy('x')), listener_filters: [strange] },
        listener('d', strange),
        listener('e', tcpProxy('')),
      ),
      [
        'WEFT0392 listener[a].address',
        'WEFT0393 listener[b].address.socket_address.address',
        'WEFT0394 listener[b].address.socket_address.protocol',
        'WEFT0386 listener[c].filter_chains[0].filters[1]',
        'WEFT0395 listener[c].listener_filters[0]',
        'WEFT0387 listener[d].filter_chains[0].filters[0]',
        'WEFT0389 listener[d].filter_chains[0].filters',
        'WEFT0385 listener[e].filter_chains[0].filters[0].typed_config',
      ],
    );
  });

  it('is refused for its connection manager, by a code for each cause', async () => {
    const manager = { codec_type: 'HTTP3', http_filters: [], route_config: undefined };
    const override = {
      typed_per_filter_config: { strange: { '@type': 'type.googleapis.com/envoy.config.core.v3.Node' } },
    };
    assert.deepEqual(
      await findings(
        listener('a', httpManager([], { manager })),
        listener('b', httpManager([], { filters: [{ name: 'none' }] })),
        listener('c', httpManager([routeTo('x', {}, override)])),
        { ...listener('d'), filter_chains: [] },
      ),
      [
        'WEFT0381 listener[a].filter_chains[0].filters[0].typed_config.http_filters',
        'WEFT0384 listener[a].filter_chains[0].filters[0].typed_config',
        'WEFT0380 listener[a].filter_chains[0].filters[0].typed_config.codec_type',
        'WEFT0383 listener[b].filter_chains[0].filters[0].typed_config.http_filters[0]',
        'WEFT0398 listener[c].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].typed_per_filter_config["strange"]',
        'WEFT0390 listener[d]',
      ],
    );
  });
});
