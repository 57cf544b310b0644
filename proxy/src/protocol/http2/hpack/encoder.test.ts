import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteWriter } from '@weft/lib/bytes';
import { Random } from '../testing/random.ts';
import { HpackDecoder, OK } from './decoder.ts';
import { HpackEncoder } from './encoder.ts';

type Field = readonly [name: string, value: string];

function encode(subject: HpackEncoder, list: readonly Field[]): Buffer {
  const out = new ByteWriter(64);
  subject.begin(out);
  for (const [name, value] of list) subject.field(out, name, value);
  return out.take();
}

function decode(subject: HpackDecoder, bytes: Buffer): Field[] {
  assert.equal(subject.decode(bytes, 0, bytes.length), OK, bytes.toString('hex'));
  return subject.names.map((name, i) => [name, subject.values[i] ?? '']);
}

function randomFields(random: Random): Field[] {
  const names = [
    ':path',
    'x-a',
    'x-b',
    'cookie',
    'date',
    'authorization',
    'content-type',
    'grpc-status',
    'x'.repeat(1 + random.below(40)),
  ];
  return Array.from({ length: random.below(12) }, () => {
    const value = random.below(3) === 0 ? random.bytes(random.below(300)).toString('latin1') : `v${random.below(20)}`;
    return [random.pick(names), value];
  });
}

describe('encoder and decoder agree', () => {
  test('over random lists on one connection, while the peer changes its table', () => {
    const random = new Random(11);
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(65_536, 1_000_000, 1000);
    for (let round = 0; round < 3000; round++) {
      if (random.below(200) === 0) encoder.setPeerTableSize(random.pick([0, 100, 1000, 4096, 65_536]));
      const list = randomFields(random);
      assert.deepEqual(decode(decoder, encode(encoder, list)), list, `round ${round}`);
    }
  });

  test('over bytes that are encoded once and sent again in the same generation', () => {
    const random = new Random(12);
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(4096, 1_000_000, 1000);
    const kept: { bytes: Buffer; list: Field[]; generation: number }[] = [];
    let reused = 0;
    for (let round = 0; round < 3000; round++) {
      const known = kept[random.below(kept.length + 1)];
      if (known !== undefined && known.generation === encoder.generation) {
        assert.deepEqual(decode(decoder, known.bytes), known.list);
        reused++;
        continue;
      }
      const list = randomFields(random);
      const before = encoder.generation;
      const bytes = encode(encoder, list);
      assert.deepEqual(decode(decoder, bytes), list);
      if (encoder.generation === before) kept[random.below(20)] = { bytes, list, generation: before };
      if (random.below(300) === 0) encoder.setPeerTableSize(random.pick([200, 2000, 4096]));
    }
    assert.ok(reused > 200, `${reused}`);
  });
});

describe('what is kept in the table', () => {
  test('a field that repeats becomes one byte', () => {
    const encoder = new HpackEncoder();
    const list: Field[] = [
      ['x-tenant', 'blue'],
      ['content-type', 'application/grpc'],
    ];
    for (let i = 0; i < 3; i++) encode(encoder, list);
    assert.equal(encode(encoder, list).length, 2);
  });

  test('values that differ from message to message do not enter it', () => {
    const encoder = new HpackEncoder();
    encode(encoder, [['x-request-id', 'the first stands there for its name']]);
    const { generation } = encoder;
    for (let i = 0; i < 50; i++)
      encode(encoder, [
        [':path', `/items/${i}`],
        ['x-request-id', `${i}`],
        ['date', `${i}`],
        ['x-user', `user-${i}`],
      ]);
    assert.equal(encoder.generation, generation);
  });

  test('credentials are marked as never to be indexed', () => {
    const encoder = new HpackEncoder();
    for (let i = 0; i < 3; i++) {
      const bytes = encode(encoder, [['authorization', 'Basic secret']]);
      assert.equal((bytes[0] ?? 0) & 0xf0, 0x10);
    }
  });

  test('it is never larger than the peer allows', () => {
    const encoder = new HpackEncoder();
    encoder.setPeerTableSize(0);
    const list: Field[] = [['x-tenant', 'blue']];
    assert.equal(encode(encoder, list)[0], 0x20, 'says so first');
    const { generation } = encoder;
    for (let i = 0; i < 5; i++) encode(encoder, list);
    assert.equal(encoder.generation, generation);
  });

  test('a peer that shrinks and grows its table between two blocks sees it emptied', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(4096, 61_440, 100);
    const list: Field[] = [['x-tenant', 'blue']];
    for (let i = 0; i < 3; i++) decode(decoder, encode(encoder, list));
    encoder.setPeerTableSize(0);
    encoder.setPeerTableSize(4096);
    assert.deepEqual(decode(decoder, encode(encoder, list)), list);
    assert.deepEqual(decode(decoder, encode(encoder, list)), list);
  });
});
