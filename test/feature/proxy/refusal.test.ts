// What a listener may not say: every finding at once, each with the code of its cause and its place.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '@weft/lib/clock';
import { formatIssue, type Issue } from '@weft/lib/issue';
import { silentLog } from '@weft/lib/log';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { applyBootstrap, RunningProxy, startProxy, type ThreadParts } from '@weft/proxy/proxy';
import { cluster, httpManager, listener, routeTo, startTestProxy, tcpProxy } from './fixture.ts';

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
      .map((line) => `${/WEFT\d{4}/.exec(line)?.[0]} ${/listeners\[[^:]*/.exec(line)?.[0]}`);
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
        { name: 'f', address: { pipe: { mode: 0o600 } } },
        { name: 'g', address: { pipe: { path: '' } } },
        { ...listener('h', tcpProxy('x')), address: { pipe: { path: '@h', mode: 0o600 } } },
      ),
      [
        'WEFT0392 listeners[0].address',
        'WEFT0393 listeners[1].address.socket_address.address',
        'WEFT0394 listeners[1].address.socket_address.protocol',
        'WEFT0386 listeners[2].filter_chains[0].filters[1]',
        'WEFT0395 listeners[2].listener_filters[0]',
        'WEFT0387 listeners[3].filter_chains[0].filters[0]',
        'WEFT0389 listeners[3].filter_chains[0].filters',
        'WEFT0385 listeners[4].filter_chains[0].filters[0].typed_config',
        'WEFT0392 listeners[5].address',
        'WEFT0392 listeners[6].address',
        'WEFT0392 listeners[7].address.pipe.mode',
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
        'WEFT0381 listeners[0].filter_chains[0].filters[0].typed_config.http_filters',
        'WEFT0384 listeners[0].filter_chains[0].filters[0].typed_config',
        'WEFT0380 listeners[0].filter_chains[0].filters[0].typed_config.codec_type',
        'WEFT0383 listeners[1].filter_chains[0].filters[0].typed_config.http_filters[0]',
        'WEFT0398 listeners[2].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].typed_per_filter_config["strange"]',
        'WEFT0342 listeners[2].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].route.cluster',
        'WEFT0390 listeners[3]',
      ],
    );
  });
});

function chains(...matches: readonly Json[]): Json {
  const filters = [tcpProxy('x')];
  return { ...listener('a'), filter_chains: matches.map((match) => ({ filter_chain_match: match, filters })) };
}

function range(address_prefix: string, prefix_len: number): Json {
  return { prefix_ranges: [{ address_prefix, prefix_len }] };
}

// As real Envoy judges them.
const sameChains: readonly [what: string, one: Json, other: Json][] = [
  ['no criteria', {}, { source_type: 'ANY' }],
  ['a server name in common', { server_names: ['a.b', 'C.d'] }, { server_names: ['x.y', 'c.d'] }],
  ['a protocol in common', { application_protocols: ['h2', 'http/1.1'] }, { application_protocols: ['h2'] }],
  ['a source port in common', { source_ports: [1, 2] }, { source_ports: [2, 3] }],
  ['one port', { destination_port: 80 }, { destination_port: 80 }],
  ['one range in two spellings', range('10.1.0.0', 16), range('10.1.2.3', 16)],
  ['one IPv6 range in two spellings', range('::1', 128), range('0:0::1', 128)],
];
const differentChains: readonly [what: string, one: Json, other: Json][] = [
  ['a port and none', { destination_port: 80 }, {}],
  ['a transport and none', { transport_protocol: 'raw_buffer' }, {}],
  ['a range inside another', range('10.1.0.0', 16), range('10.1.2.0', 24)],
  ['families', range('0.0.0.0', 0), range('::', 0)],
  ['names of one port', { destination_port: 80, server_names: ['a'] }, { destination_port: 80, server_names: ['b'] }],
];

describe('a worker', () => {
  it('makes what the main thread has judged, though a cluster of a route is gone since', () => {
    const listeners = [listener('a', httpManager([routeTo('gone')]))];
    const bootstrap = messageFromJson('envoy.config.bootstrap.v3.Bootstrap', { static_resources: { listeners } }, []);
    const options = { bootstrap, configPath: 'test', log: silentLog(systemClock), clock: systemClock };
    const codesIn = (thread: ThreadParts): string[] =>
      applyBootstrap(new RunningProxy({ ...options, thread }), true).map(({ code }) => code);
    assert.deepEqual(codesIn({}), ['WEFT0342']);
    assert.deepEqual(codesIn({ isFollower: true }), []);
  });
});

describe('filter chains', () => {
  for (const [what, one, other] of sameChains) {
    it(`are refused that match by the same: ${what}`, async () => {
      assert.deepEqual(await findings(chains({ destination_port: 1 }, one, other)), [
        'WEFT0846 listeners[0].filter_chains[2].filter_chain_match',
      ]);
    });
  }

  for (const [what, one, other] of differentChains) {
    it(`may be told apart by ${what}`, async () => {
      assert.deepEqual(await findings(chains(one, other)), []);
    });
  }

  it('are refused that match nothing', async () => {
    const bad = { source_prefix_ranges: [{ address_prefix: 'here' }], server_names: ['a', '*.b', 'a*.b', '*.*.b'] };
    assert.deepEqual(await findings(chains(bad, range('1.2.3.4', 33))), [
      'WEFT0730 listeners[0].filter_chains[0].filter_chain_match.source_prefix_ranges[0].address_prefix',
      'WEFT0399 listeners[0].filter_chains[0].filter_chain_match.server_names[2]',
      'WEFT0399 listeners[0].filter_chains[0].filter_chain_match.server_names[3]',
      'WEFT0730 listeners[0].filter_chains[1].filter_chain_match.prefix_ranges[0].prefix_len',
    ]);
  });
});

function at(name: string, address: string, port_value: number, more: Json = {}): Json {
  return { ...listener(name, tcpProxy('x')), address: { socket_address: { address, port_value } }, ...more };
}

describe('listeners', () => {
  it('are refused that want the address of another', async () => {
    const pipe = { address: { pipe: { path: '/run/x' } } };
    const found = await findings(
      at('a', '127.0.0.1', 8080),
      at('b', '127.0.0.1', 8080),
      at('c', '127.0.0.1', 8080, { bind_to_port: false }),
      at('d', '::1', 8080),
      at('e', '0:0::1', 8080),
    );
    assert.deepEqual(found, [
      'WEFT0847 listeners[1].address',
      'WEFT0847 listeners[2].address',
      'WEFT0847 listeners[4].address',
    ]);
    assert.deepEqual(await findings(at('a', '', 0, pipe), at('b', '', 0, pipe)), ['WEFT0847 listeners[1].address']);
  });

  it('may differ in the address or the port alone, and leave the port to the system', async () => {
    const found = await findings(
      at('a', '127.0.0.1', 8080),
      at('b', '127.0.0.1', 8081),
      at('c', '0.0.0.0', 8080),
      at('d', '127.0.0.1', 0),
      at('e', '127.0.0.1', 0),
    );
    assert.deepEqual(found, []);
  });

  it('are refused in an update that leaves the owner of the address where it is', async (context) => {
    const { running } = await startTestProxy(context, () => ({
      listeners: [listener('a', tcpProxy('x'))],
      clusters: [],
    }));
    const put = (set: Json[], removed: readonly string[] = []) => {
      const messages = set.map((json) => messageFromJson('envoy.config.listener.v3.Listener', json, []));
      return running.listeners.prepare(new Map(messages.map((one) => [one.name ?? '', one])), removed, '2');
    };
    const unbound = { bind_to_port: false };
    put([at('b', '127.0.0.1', 9, unbound)]).commit();
    const codes = (set: Json[], removed?: readonly string[]) => put(set, removed).issues.map(({ code }) => code);
    assert.deepEqual(codes([at('c', '127.0.0.1', 9, unbound)]), ['WEFT0847']);
    assert.deepEqual(codes([at('c', '127.0.0.1', 9, unbound)], ['b']), []);
    assert.deepEqual(codes([at('b', '127.0.0.1', 10, unbound), at('c', '127.0.0.1', 9, unbound)]), []);
  });
});
