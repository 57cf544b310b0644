import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Issue } from '../issue.ts';
import {
  decodeMessage,
  encodeMessage,
  type MessageName,
  messageFromJson,
  messageToJson,
  packAny,
  unpackAny,
} from './codec.ts';

function read(typeName: MessageName, json: unknown): { message: unknown; found: string[] } {
  const issues: Issue[] = [];
  const message = messageFromJson(typeName, json, issues, 'top');
  return { message, found: issues.map((issue) => `${issue.code} ${issue.path}`) };
}

function problemsOf(typeName: MessageName, json: unknown): string[] {
  return read(typeName, json).found;
}

function messagesOf(typeName: MessageName, json: unknown): string {
  const issues: Issue[] = [];
  messageFromJson(typeName, json, issues);
  return issues.map((issue) => issue.message).join('\n');
}

test('accepts both spellings of a name and prints either', () => {
  const json = { connect_timeout: '1.5s', lbPolicy: 'MAGLEV', dns_refresh_rate: '0.000000001s' };
  const { message, found } = read('envoy.config.cluster.v3.Cluster', json);
  assert.deepEqual(found, []);
  const expected = {
    connectTimeout: { seconds: 1, nanos: 500000000 },
    lbPolicy: 'MAGLEV',
    dnsRefreshRate: { nanos: 1 },
  } as const;
  assert.deepEqual(message, expected);
  assert.deepEqual(messageToJson('envoy.config.cluster.v3.Cluster', expected, { originalNames: true }), {
    connect_timeout: '1.500s',
    lb_policy: 'MAGLEV',
    dns_refresh_rate: '0.000000001s',
  });
  assert.deepEqual(messageToJson('envoy.config.cluster.v3.Cluster', { lbPolicy: 'RANDOM' }), { lbPolicy: 'RANDOM' });
});

test('finds every problem at once, each with its full path', () => {
  const found = problemsOf('envoy.config.bootstrap.v3.Bootstrap', {
    nod: { id: 'x' },
    static_resources: {
      clusters: [
        { name: 7, connect_timeout: '5', load_assignment: { endpoints: [{ priority: -1 }, { priority: 'two' }] } },
        { lb_policy: 'ROUND_ROBBIN', type: 'STATIC', clusterType: { name: 'x' } },
        'web',
      ],
      listeners: { name: 'l' },
    },
    admin: { address: { socket_address: { address: 'a', port_value: 4294967296 } } },
  });
  assert.deepEqual(found, [
    'WEFT0101 top.nod',
    'WEFT0102 top.static_resources.clusters[0].name',
    'WEFT0110 top.static_resources.clusters[0].connect_timeout',
    'WEFT0103 top.static_resources.clusters[0].load_assignment.endpoints[0].priority',
    'WEFT0102 top.static_resources.clusters[0].load_assignment.endpoints[1].priority',
    'WEFT0104 top.static_resources.clusters[1].lb_policy',
    'WEFT0105 top.static_resources.clusters[1].clusterType',
    'WEFT0102 top.static_resources.clusters[2]',
    'WEFT0102 top.static_resources.listeners',
    'WEFT0103 top.admin.address.socket_address.port_value',
  ]);
});

test('says what to do about a problem', () => {
  const advice = (json: unknown) => messagesOf('envoy.config.cluster.v3.Cluster', json);
  assert.match(advice({ conect_timeout: '1s' }), /did you mean connect_timeout\?/);
  assert.match(advice({ conectTimeout: '1s' }), /did you mean connectTimeout\?/);
  assert.match(advice({ name: 8080 }), /put it in quotes/);
  assert.match(advice({ lb_policy: 'RANDM' }), /did you mean RANDOM\?/);
  assert.match(advice({ lb_policy: 'X' }), /one of ROUND_ROBIN, LEAST_REQUEST/);
  assert.match(advice({ transport_socket: { typed_config: {} } }), /add one, such as "@type"/);
  assert.match(messagesOf('google.protobuf.Empty', { a: 1 }), /remove it/);
});

test('reads what it can beside a problem', () => {
  const { message } = read('envoy.config.cluster.v3.Cluster', { name: 'web', nme: 1, dns_refresh_rate: 'soon' });
  assert.deepEqual(message, { name: 'web' });
});

test('refuses a field given in both spellings, and two members of a oneof', () => {
  assert.deepEqual(problemsOf('envoy.config.cluster.v3.Cluster', { lb_policy: 'RANDOM', lbPolicy: 'MAGLEV' }), [
    'WEFT0106 top.lbPolicy',
  ]);
  assert.deepEqual(problemsOf('envoy.config.core.v3.SocketAddress', { port_value: 1, named_port: 'http' }), [
    'WEFT0105 top.named_port',
  ]);
  assert.deepEqual(problemsOf('envoy.config.core.v3.SocketAddress', { port_value: 1, named_port: null }), []);
});

test('takes null as unset, except where null is a value', () => {
  const { message, found } = read('envoy.config.cluster.v3.Cluster', {
    name: null,
    health_checks: null,
    metadata: null,
  });
  assert.deepEqual([message, found], [{}, []]);
  assert.deepEqual(problemsOf('envoy.config.cluster.v3.Cluster', { health_checks: [null] }), [
    'WEFT0102 top.health_checks[0]',
  ]);
  assert.equal(read('google.protobuf.Value', null).message, null);
  const struct = { a: null };
  assert.deepEqual(decodeMessage('google.protobuf.Struct', encodeMessage('google.protobuf.Struct', struct)), struct);
});

test('leaves out defaults that mean unset, and keeps those of wrappers and oneofs', () => {
  const json = {
    name: '',
    respect_dns_ttl: false,
    lb_policy: 'ROUND_ROBIN',
    per_connection_buffer_limit_bytes: 0,
    type: 'STATIC',
  };
  assert.deepEqual(read('envoy.config.cluster.v3.Cluster', json).message, {
    perConnectionBufferLimitBytes: 0,
    type: 'STATIC',
  });
});

const integers: [typeName: MessageName, json: unknown, expected: unknown][] = [
  ['google.protobuf.Int32Value', -2147483648, -2147483648],
  ['google.protobuf.Int32Value', '2147483647', 2147483647],
  ['google.protobuf.Int32Value', 1e3, 1000],
  ['google.protobuf.Int32Value', '1e3', 1000],
  ['google.protobuf.Int32Value', '1.0', 1],
  ['google.protobuf.Int32Value', 2147483648, 'WEFT0103 top'],
  ['google.protobuf.Int32Value', 1.5, 'WEFT0102 top'],
  ['google.protobuf.Int32Value', '0x10', 'WEFT0102 top'],
  ['google.protobuf.Int32Value', '', 'WEFT0102 top'],
  ['google.protobuf.Int32Value', ' 1', 'WEFT0102 top'],
  ['google.protobuf.Int32Value', NaN, 'WEFT0102 top'],
  ['google.protobuf.Int32Value', true, 'WEFT0102 top'],
  ['google.protobuf.UInt32Value', 4294967295, 4294967295],
  ['google.protobuf.UInt32Value', -1, 'WEFT0103 top'],
  ['google.protobuf.Int64Value', '-9223372036854775808', -(2n ** 63n)],
  ['google.protobuf.Int64Value', '9223372036854775807', 2n ** 63n - 1n],
  ['google.protobuf.Int64Value', '9223372036854775808', 'WEFT0103 top'],
  ['google.protobuf.Int64Value', '9007199254740991', Number.MAX_SAFE_INTEGER],
  ['google.protobuf.Int64Value', 42, 42],
  ['google.protobuf.UInt64Value', '18446744073709551615', 2n ** 64n - 1n],
  ['google.protobuf.UInt64Value', '18446744073709551616', 'WEFT0103 top'],
  ['google.protobuf.UInt64Value', '-1', 'WEFT0103 top'],
  ['google.protobuf.DoubleValue', 'NaN', NaN],
  ['google.protobuf.DoubleValue', '-Infinity', -Infinity],
  ['google.protobuf.DoubleValue', '1e-3', 0.001],
  ['google.protobuf.DoubleValue', 'nan', 'WEFT0102 top'],
  ['google.protobuf.DoubleValue', '1.', 'WEFT0102 top'],
  ['google.protobuf.FloatValue', 3.5e38, 'WEFT0103 top'],
  ['google.protobuf.FloatValue', 'Infinity', Infinity],
  ['google.protobuf.BoolValue', 'true', 'WEFT0102 top'],
  ['google.protobuf.BoolValue', false, false],
  ['google.protobuf.StringValue', 'x', 'x'],
  ['google.protobuf.StringValue', 1, 'WEFT0102 top'],
  ['google.protobuf.BytesValue', 'AP/+', Uint8Array.of(0, 255, 254)],
  ['google.protobuf.BytesValue', 'AP_-', Uint8Array.of(0, 255, 254)],
  ['google.protobuf.BytesValue', 'AP8=', Uint8Array.of(0, 255)],
  ['google.protobuf.BytesValue', 'AP8', Uint8Array.of(0, 255)],
  ['google.protobuf.BytesValue', 'AA==', Uint8Array.of(0)],
  ['google.protobuf.BytesValue', 'A', 'WEFT0102 top'],
  ['google.protobuf.BytesValue', 'AA=', 'WEFT0102 top'],
  ['google.protobuf.BytesValue', 'A A=', 'WEFT0102 top'],
  ['google.protobuf.Duration', '0s', {}],
  ['google.protobuf.Duration', '-0.5s', { nanos: -500000000 }],
  ['google.protobuf.Duration', '315576000000s', { seconds: 315576000000 }],
  ['google.protobuf.Duration', '315576000001s', 'WEFT0110 top'],
  ['google.protobuf.Duration', '1.0000000001s', 'WEFT0110 top'],
  ['google.protobuf.Duration', '1m', 'WEFT0110 top'],
  ['google.protobuf.Duration', '.5s', 'WEFT0110 top'],
  ['google.protobuf.Duration', 5, 'WEFT0110 top'],
  ['google.protobuf.Timestamp', '1970-01-01T00:00:00Z', {}],
  ['google.protobuf.Timestamp', '1969-12-31T23:59:59.5Z', { seconds: -1, nanos: 500000000 }],
  ['google.protobuf.Timestamp', '2026-01-02T03:04:05+01:30', { seconds: 1767317645 }],
  ['google.protobuf.Timestamp', '0001-01-01T00:00:00Z', { seconds: -62135596800 }],
  ['google.protobuf.Timestamp', '9999-12-31T23:59:59.999999999Z', { seconds: 253402300799, nanos: 999999999 }],
  ['google.protobuf.Timestamp', '2026-02-30T00:00:00Z', 'WEFT0110 top'],
  ['google.protobuf.Timestamp', '0001-01-01T00:00:00+01:00', 'WEFT0110 top'],
  ['google.protobuf.Timestamp', '2026-01-02', 'WEFT0110 top'],
  ['google.protobuf.Timestamp', '2026-01-02t03:04:05z', 'WEFT0110 top'],
  ['google.protobuf.FieldMask', 'fooBar,baz', { paths: ['foo_bar', 'baz'] }],
  ['google.protobuf.Struct', [], 'WEFT0102 top'],
  ['google.protobuf.Struct', { a: NaN }, 'WEFT0102 top.a'],
  ['google.protobuf.ListValue', {}, 'WEFT0102 top'],
  ['google.protobuf.ListValue', [1, [null]], [1, [null]]],
  ['google.protobuf.Empty', {}, {}],
  ['google.protobuf.Empty', [], 'WEFT0102 top'],
];

for (const [typeName, json, expected] of integers) {
  const isProblem = typeof expected === 'string' && expected.startsWith('WEFT');
  const shown = typeof json === 'string' ? JSON.stringify(json) : String(json);
  test(`${isProblem ? 'refuses' : 'reads'} ${shown} as ${typeName}`, () => {
    const { message, found } = read(typeName, json);
    if (isProblem) {
      assert.deepEqual(found, [expected]);
      return;
    }
    assert.deepEqual(found, []);
    assert.deepEqual(message, expected);
    // What was read survives the wire and its own JSON.
    const bytes = encodeMessage(typeName, message as never);
    assert.deepEqual(decodeMessage(typeName, bytes), expected);
    assert.deepEqual(read(typeName, messageToJson(typeName, message as never)).message, expected);
  });
}

test('writes 64-bit integers, bytes and special numbers as strings', () => {
  assert.equal(messageToJson('google.protobuf.UInt64Value', 2n ** 64n - 1n), '18446744073709551615');
  assert.equal(messageToJson('google.protobuf.Int64Value', 5), '5');
  assert.equal(messageToJson('google.protobuf.DoubleValue', NaN), 'NaN');
  assert.equal(messageToJson('google.protobuf.DoubleValue', -Infinity), '-Infinity');
  assert.equal(messageToJson('google.protobuf.BytesValue', Uint8Array.of(255, 254)), '//4=');
  assert.equal(messageToJson('google.protobuf.Timestamp', { seconds: -1, nanos: 1000 }), '1969-12-31T23:59:59.000001Z');
});

test('reads map keys and values, naming the key of a problem', () => {
  const rule = { policies: { 'a.b': { permissions: [{ any: true }], principals: [{ any: 'yes' }] } } };
  assert.deepEqual(problemsOf('envoy.config.rbac.v3.RBAC', rule), ['WEFT0102 top.policies["a.b"].principals[0].any']);
  const metadata = JSON.parse('{"filter_metadata": {"__proto__": {"a": 1}}}');
  const { message, found } = read('envoy.config.core.v3.Metadata', metadata);
  assert.deepEqual(found, []);
  assert.deepEqual(JSON.stringify(message), '{"filterMetadata":{"__proto__":{"a":1}}}');
});

test('keeps the numbers of unknown enum values and gives known ones their names', () => {
  assert.deepEqual(read('envoy.config.cluster.v3.Cluster', { lb_policy: 3 }).message, { lbPolicy: 'RANDOM' });
  assert.deepEqual(read('envoy.config.cluster.v3.Cluster', { lb_policy: 99 }).message, { lbPolicy: 99 });
  assert.deepEqual(problemsOf('envoy.config.cluster.v3.Cluster', { lb_policy: 1.5 }), ['WEFT0102 top.lb_policy']);
});

const anyOf = (typeName: string, fields: object) => ({ '@type': `type.googleapis.com/${typeName}`, ...fields });

test('encodes an Any at once and expands it again, well-known types under "value"', () => {
  const json = {
    name: 'x',
    typed_config: anyOf('google.protobuf.Any', { value: anyOf('google.protobuf.Duration', { value: '2s' }) }),
  };
  const { message, found } = read('envoy.config.core.v3.TypedExtensionConfig', json);
  assert.deepEqual(found, []);
  const typed = message as { typedConfig: { typeUrl: string; value: Uint8Array } };
  assert.deepEqual(unpackAny(unpackAny(typed.typedConfig, 'google.protobuf.Any')), { seconds: 2 });
  assert.deepEqual(messageToJson('envoy.config.core.v3.TypedExtensionConfig', typed, { originalNames: true }), json);
});

test('names the problems inside an Any by the path of the document', () => {
  const json = {
    typed_config: anyOf('envoy.config.core.v3.TypedExtensionConfig', {
      name: 1,
      typed_config: anyOf('google.protobuf.Duration', { value: 'x', other: 1 }),
    }),
  };
  assert.deepEqual(problemsOf('envoy.config.core.v3.TypedExtensionConfig', json), [
    'WEFT0102 top.typed_config.name',
    'WEFT0101 top.typed_config.typed_config.other',
    'WEFT0110 top.typed_config.typed_config.value',
  ]);
});

test('refuses an Any without a type, of an unknown type, or with a bare name', () => {
  const found = (typed_config: unknown) => problemsOf('envoy.config.core.v3.TypedExtensionConfig', { typed_config });
  assert.deepEqual(found({ name: 'x' }), ['WEFT0108 top.typed_config']);
  assert.deepEqual(found(anyOf('envoy.Nothing', {})), ['WEFT0107 top.typed_config.@type']);
  assert.deepEqual(found({ '@type': 'google.protobuf.Empty' }), ['WEFT0107 top.typed_config.@type']);
  assert.deepEqual(found('text'), ['WEFT0102 top.typed_config']);
});

test('shows an Any of unknown type, with bad bytes or nested too deep as base64', () => {
  const show = (typedConfig: { typeUrl: string; value: Uint8Array }) =>
    messageToJson('envoy.config.core.v3.TypedExtensionConfig', { typedConfig }, { originalNames: true });
  const unknown = { typeUrl: 'example.org/none', value: Uint8Array.of(1) };
  assert.deepEqual(show(unknown), { typed_config: { '@type': 'example.org/none', value: 'AQ==' } });
  const bad = { typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster', value: Uint8Array.of(10, 9) };
  assert.deepEqual(show(bad), { typed_config: { '@type': bad.typeUrl, value: 'Cgk=' } });
  let any = packAny('google.protobuf.Empty', {});
  for (let i = 0; i < 1000; i++) any = packAny('google.protobuf.Any', any);
  assert.ok(JSON.stringify(show(any)).length > 0);
});

test('refuses JSON nested beyond 100 messages, without overflowing the stack', () => {
  let json: unknown = { '@type': 'type.googleapis.com/google.protobuf.Empty' };
  for (let i = 0; i < 5000; i++) json = anyOf('envoy.config.core.v3.TypedExtensionConfig', { typed_config: json });
  const issues: Issue[] = [];
  messageFromJson('google.protobuf.Any', json, issues);
  assert.deepEqual(
    issues.map((issue) => issue.code),
    ['WEFT0109'],
  );

  let list: unknown = 1;
  for (let i = 0; i < 50_000; i++) list = [list];
  assert.match(problemsOf('google.protobuf.Value', list).join(), /^WEFT0109/);
});

test('never throws on JSON of any shape', () => {
  const shapes: unknown[] = [
    undefined,
    null,
    0,
    -0,
    1n,
    'x',
    true,
    [],
    [[]],
    {},
    { a: [] },
    Symbol('s'),
    () => 1,
    new Date(0),
    new Map(),
  ];
  for (const typeName of [
    'envoy.config.cluster.v3.Cluster',
    'google.protobuf.Any',
    'google.protobuf.Value',
    'google.protobuf.Duration',
  ] as const) {
    for (const shape of shapes) {
      read(typeName, shape);
      read('envoy.config.cluster.v3.Cluster', {
        name: shape,
        metadata: { filter_metadata: shape },
        health_checks: shape,
        type: shape,
      });
    }
  }
});
