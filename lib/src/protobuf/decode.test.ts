import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, encodeMessage, ProtobufError, unknownFieldsOf } from './codec.ts';

const cluster = {
  name: 'web',
  connectTimeout: { seconds: 1, nanos: 5 },
  lbPolicy: 'RANDOM',
  maxRequestsPerConnection: 3,
  ringHashLbConfig: { minimumRingSize: 2n ** 60n },
  metadata: { filterMetadata: { a: { b: [1, null, 'x', { c: true }] } } },
  loadAssignment: {
    clusterName: 'web',
    endpoints: [
      { lbEndpoints: [{ endpoint: { address: { socketAddress: { address: '10.0.0.1', portValue: 80 } } } }] },
      { priority: 1 },
    ],
  },
} as const;

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

test('gives back what was encoded', () => {
  const bytes = encodeMessage('envoy.config.cluster.v3.Cluster', cluster);
  assert.deepEqual(decodeMessage('envoy.config.cluster.v3.Cluster', bytes), cluster);
});

test('refuses a message that ends at any byte inside it, naming the offset', () => {
  const bytes = encodeMessage('envoy.config.cluster.v3.Cluster', cluster);
  const boundaries = new Set<number>([0]);
  for (const name of Object.keys(cluster)) {
    // Cutting between two top-level fields leaves a valid, shorter message.
    const shorter = Object.fromEntries(Object.entries(cluster).filter(([key]) => key !== name));
    boundaries.add(bytes.length - encodeMessage('envoy.config.cluster.v3.Cluster', shorter).length);
  }
  let refused = 0;
  for (let length = 0; length < bytes.length; length++) {
    try {
      decodeMessage('envoy.config.cluster.v3.Cluster', bytes.subarray(0, length));
    } catch (thrown) {
      assert.ok(thrown instanceof ProtobufError, String(thrown));
      assert.ok(thrown.offset >= 0 && thrown.offset <= length);
      refused++;
    }
  }
  assert.ok(refused >= bytes.length - Object.keys(cluster).length, `${refused} of ${bytes.length} were refused`);
});

test('survives every change of one byte: an error or a message, nothing else', () => {
  const bytes = encodeMessage('envoy.config.cluster.v3.Cluster', cluster);
  for (let at = 0; at < bytes.length; at++) {
    for (const value of [0, 1, 0x7f, 0x80, 0xff, (bytes[at] ?? 0) ^ 1, (bytes[at] ?? 0) ^ 8]) {
      const changed = bytes.slice();
      changed[at] = value;
      try {
        const message = decodeMessage('envoy.config.cluster.v3.Cluster', changed);
        encodeMessage('envoy.config.cluster.v3.Cluster', message);
      } catch (thrown) {
        assert.ok(thrown instanceof ProtobufError, String(thrown));
      }
    }
  }
});

// SocketAddress: protocol = 1 (enum), address = 2 (string), port_value = 3 (uint32). Node: metadata = 3, locality = 4.
const malformed: [name: string, hex: string, problem: RegExp, offset: number, path: string][] = [
  ['a varint of eleven bytes', '18 ff ff ff ff ff ff ff ff ff ff 01', /more than ten bytes/, 1, 'port_value'],
  ['a varint without an end', '18 ff', /end inside a varint/, 1, 'port_value'],
  ['a string where a number belongs', '1a 01 61', /wire type 2 where 0 belongs/, 1, 'port_value'],
  ['a number where a string belongs', '10 01', /wire type 0 where 2 belongs/, 1, 'address'],
  ['a length past the end', '12 05 61', /runs past the end \(1 bytes are left\)/, 1, 'address'],
  ['a length of more than 32 bits', '12 80 80 80 80 80 01 61', /runs past the end/, 1, 'address'],
  ['a field number of zero', '00 01', /field number 0 is not allowed/, 0, ''],
  ['a field number beyond 29 bits', 'f8 ff ff ff ff 01 01', /too large/, 0, ''],
  ['wire type 6', 'fe 3f 00', /wire type 6 does not exist/, 2, ''],
  ['a group that ends without a start', 'fc 3f', /did not start/, 2, ''],
  ['a group that does not end', 'fb 3f 08 01', /end inside a varint/, 4, ''],
  ['a group that ends with another number', 'fb 3f 84 40', /the number of another/, 2, ''],
  ['a string that is not UTF-8', '12 02 c3 28', /not valid UTF-8/, 2, 'address'],
  ['a fixed value cut short', 'f9 3f 01 02', /end inside a 8-byte value/, 2, ''],
];

for (const [name, hex, problem, offset, path] of malformed) {
  test(`refuses ${name}, naming offset and path`, () => {
    assert.throws(
      () => decodeMessage('envoy.config.core.v3.SocketAddress', bytesOf(hex)),
      (thrown: unknown) => {
        assert.ok(thrown instanceof ProtobufError);
        assert.match(thrown.message, problem);
        assert.deepEqual([thrown.code, thrown.offset, thrown.path], ['WEFT0100', offset, path]);
        return true;
      },
    );
  });
}

test('names indices and map keys in the path of an error', () => {
  const node = (hex: string) => () => decodeMessage('envoy.config.core.v3.Node', bytesOf(hex));
  assert.throws(node('52 01 61 52 01 ff'), { path: 'client_features[1]' });
  assert.throws(node('62 08 0a 01 6b 12 03 0a 05 61'), { path: 'dynamic_parameters["k"].params' });
  assert.throws(node('22 03 0a 05 61'), { path: 'locality.region' });
});

test('does not let an inner length run past the end of its message', () => {
  // locality has 2 bytes, its region says 3; the bytes after belong to the next field.
  assert.throws(() => decodeMessage('envoy.config.core.v3.Node', bytesOf('22 02 0a 03 61 61 61')), ProtobufError);
});

test('refuses durations and timestamps out of range', () => {
  const decode = (hex: string) => () => decodeMessage('google.protobuf.Duration', bytesOf(hex));
  assert.throws(decode('08 80 80 80 80 80 80 80 01'), /out of range/);
  assert.throws(decode('08 01 10 ff ff ff ff ff ff ff ff ff 01'), /out of range/);
  assert.throws(decode('10 80 94 eb dc 03'), /out of range/);
});

test('keeps unknown fields of every wire type, nested ones too, and encodes them again', () => {
  const unknown = 'f8 3f 96 01  f9 3f 01 02 03 04 05 06 07 08  fa 3f 02 61 62  fb 3f 08 01 fc 3f  fd 3f 01 02 03 04';
  const inner = `0a 01 72 ${unknown}`;
  const length = bytesOf(inner).length.toString(16).padStart(2, '0');
  const bytes = bytesOf(`0a 01 69 22 ${length} ${inner} ${unknown}`);
  const node = decodeMessage('envoy.config.core.v3.Node', bytes);
  assert.equal(unknownFieldsOf(node).length, 5);
  assert.equal(unknownFieldsOf(node.locality).length, 5);
  assert.deepEqual(encodeMessage('envoy.config.core.v3.Node', node), bytes);
});

test('reads a second occurrence of a message into the first, and the last of other fields', () => {
  const node = decodeMessage('envoy.config.core.v3.Node', bytesOf('0a 01 61 22 03 0a 01 72 22 03 12 01 7a 0a 01 62'));
  assert.deepEqual(node, { id: 'b', locality: { region: 'r', zone: 'z' } });
});

test('keeps only the last member of a oneof', () => {
  const address = decodeMessage('envoy.config.core.v3.SocketAddress', bytesOf('18 50 22 04 68 74 74 70'));
  assert.deepEqual(address, { namedPort: 'http' });
});

test('takes an explicit zero as unset where the two are the same, and keeps it where they differ', () => {
  assert.deepEqual(decodeMessage('envoy.config.core.v3.SocketAddress', bytesOf('12 01 61 12 00')), {});
  assert.deepEqual(decodeMessage('envoy.config.core.v3.SocketAddress', bytesOf('18 00')), { portValue: 0 });
});

test('reads repeated numbers packed and unpacked', () => {
  // RetryPolicy.retriable_status_codes = 7
  const packed = decodeMessage('envoy.config.route.v3.RetryPolicy', bytesOf('3a 03 f4 03 01'));
  const unpacked = decodeMessage('envoy.config.route.v3.RetryPolicy', bytesOf('38 f4 03 38 01'));
  assert.deepEqual(packed, { retriableStatusCodes: [500, 1] });
  assert.deepEqual(unpacked, packed);
  assert.throws(() => decodeMessage('envoy.config.route.v3.RetryPolicy', bytesOf('3a 02 01 ff')), {
    path: 'retriable_status_codes[1]',
  });
});

test('keeps the numbers of enum values it does not know', () => {
  const cluster = decodeMessage('envoy.config.cluster.v3.Cluster', bytesOf('30 63'));
  assert.equal(cluster.lbPolicy, 99);
  assert.deepEqual(encodeMessage('envoy.config.cluster.v3.Cluster', cluster), bytesOf('30 63'));
});

test('makes a map entry without key or value one with their defaults', () => {
  const metadata = decodeMessage('envoy.config.core.v3.Metadata', bytesOf('0a 00'));
  assert.deepEqual(metadata, { filterMetadata: { '': {} } });
});

test('takes a map key of __proto__ for what it is', () => {
  const value = JSON.parse('{"__proto__":{"polluted":true}}');
  const bytes = encodeMessage('google.protobuf.Struct', value);
  const decoded = decodeMessage('google.protobuf.Struct', bytes);
  assert.deepEqual(Object.keys(decoded), ['__proto__']);
  assert.equal(Object.getPrototypeOf(decoded), Object.prototype);
});

test('refuses nesting beyond 100 messages in bytes and in memory, without overflowing the stack', () => {
  let value: unknown = 'leaf';
  for (let i = 0; i < 30; i++) value = { v: value };
  const struct = { s: value as string };
  const bytes = encodeMessage('google.protobuf.Struct', struct);
  assert.deepEqual(decodeMessage('google.protobuf.Struct', bytes), struct);

  for (let i = 0; i < 50_000; i++) value = [value];
  assert.throws(() => encodeMessage('google.protobuf.Value', value as never), /nested more than 100 deep/);

  // A list value inside a list value …: `32 len 0a len …`, with lengths that all reach the end.
  let nested = Buffer.alloc(0);
  for (let i = 0; i < 200; i++) {
    nested = Buffer.concat([Buffer.from(i % 2 === 0 ? [0x0a] : [0x32]), lengthOf(nested), nested]);
  }
  assert.throws(() => decodeMessage('google.protobuf.Value', nested), /nested more than 100 deep/);

  const groups = Buffer.alloc(100_000, Buffer.from([0xfb, 0x3f]));
  assert.throws(() => decodeMessage('google.protobuf.Value', groups), /nested too deep/);
});

function lengthOf(bytes: Uint8Array): Buffer {
  const digits: number[] = [];
  let rest = bytes.length;
  for (; rest >= 0x80; rest >>>= 7) digits.push((rest & 0x7f) | 0x80);
  return Buffer.from([...digits, rest]);
}

test('names the field when a value in memory does not fit', () => {
  const encode = (message: unknown) => () => encodeMessage('envoy.config.cluster.v3.Cluster', message as never);
  assert.throws(encode({ name: 7 }), /Cluster field name: a string is needed, not the number 7/);
  assert.throws(encode({ lbPolicy: 'ROUND' }), /field lb_policy: the string "ROUND" is no value of/);
  assert.throws(encode({ loadAssignment: { endpoints: [{}, { priority: -1 }] } }), {
    path: 'load_assignment.endpoints[1].priority',
    offset: -1,
  });
  assert.throws(encode({ metadata: { filterMetadata: { 'a.b': { x: Symbol('s') } } } }), /filter_metadata\["a\.b"\]/);
  assert.throws(encode({ healthChecks: {} }), /a list is needed, not an object/);
  assert.throws(encode({ connectTimeout: { seconds: 1, nanos: -1 } }), /out of range/);
});

test('does not read past the given view of a larger buffer', () => {
  const whole = bytesOf('ff 0a 01 61 0a 01 62');
  assert.deepEqual(decodeMessage('envoy.config.core.v3.Node', whole.subarray(1, 4)), { id: 'a' });
});
