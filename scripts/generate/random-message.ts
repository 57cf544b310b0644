// Random messages of any layout, as they are held in memory, from a seed.
import {
  type FieldLayout,
  integer64Types,
  type MessageLayout,
  T_BOOL,
  T_BYTES,
  T_DOUBLE,
  T_ENUM,
  T_FIXED32,
  T_FIXED64,
  T_FLOAT,
  T_MESSAGE,
  T_STRING,
  T_UINT32,
  T_UINT64,
} from '@weft/lib/protobuf/schema';

/** A small generator of random numbers that gives the same sequence for the same seed. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }
}

/** A message in canonical form: no defaults where they mean unset, at most one member of a oneof. */
export function randomMessage(layout: MessageLayout, random: Random, depth = 0): unknown {
  switch (layout.form) {
    case 'wrapper':
      return randomScalar(layout.fields[0] as FieldLayout, random);
    case 'any':
      return { typeUrl: 'type.googleapis.com/google.protobuf.StringValue', value: Uint8Array.of(10, 2, 104, 105) };
    case 'duration':
      return random.pick<unknown>([
        {},
        { seconds: 3 },
        { seconds: -315576000000 },
        { nanos: -1 },
        { seconds: 1, nanos: 500000000 },
      ]);
    case 'timestamp':
      return random.pick<unknown>([
        {},
        { seconds: 1e9, nanos: 123456789 },
        { seconds: -62135596800 },
        { seconds: 253402300799 },
      ]);
    case 'mask':
      return random.pick<unknown>([{}, { paths: ['foo_bar', 'baz.qux_quux'] }]);
    case 'value':
      return randomJson(random, depth);
    case 'list':
      return [randomJson(random, depth), randomJson(random, depth)];
    case 'struct':
      return { [random.pick(['a', 'b c', 'x'])]: randomJson(random, depth) };
    case 'fields':
      return randomFields(layout, random, depth);
  }
}

function randomFields(layout: MessageLayout, random: Random, depth: number): unknown {
  const message: Record<string, unknown> = {};
  const usedOneofs = new Set<number>();
  for (const field of layout.fields) {
    if (random.next() > 0.6 / (depth + 1)) continue;
    if (field.oneof >= 0 && usedOneofs.has(field.oneof)) continue;
    const value = randomField(field, random, depth);
    if (!field.hasPresence && isDefault(field, value)) continue;
    usedOneofs.add(field.oneof);
    message[field.name] = value;
  }
  return message;
}

function randomField(field: FieldLayout, random: Random, depth: number): unknown {
  if (field.mapKey !== null && field.mapValue !== null) {
    const key = String(randomScalar(field.mapKey, random));
    return { [key]: randomElement(field.mapValue, random, depth) };
  }
  if (!field.isRepeated) return randomElement(field, random, depth);
  return Array.from({ length: 1 + random.below(3) }, () => randomElement(field, random, depth));
}

function randomElement(field: FieldLayout, random: Random, depth: number): unknown {
  return field.type === T_MESSAGE ? randomMessage(field.message, random, depth + 1) : randomScalar(field, random);
}

function randomScalar(field: FieldLayout, random: Random): unknown {
  switch (field.type) {
    case T_BOOL:
      return random.next() < 0.5;
    case T_STRING:
      return random.pick(['', 'plain', 'ünïcödé ☃ 🎈', 'a'.repeat(200), '\u0000\uffff\ufffd']);
    case T_BYTES:
      return randomBytes(random);
    case T_ENUM:
      return randomEnum(field, random);
    case T_DOUBLE:
      return random.pick([0, 1.5, -1e300, Number.MIN_VALUE, Infinity, -Infinity, NaN, random.next()]);
    case T_FLOAT:
      return Math.fround(random.pick([0, 0.1, -1e30, Infinity, -Infinity, NaN]));
    default:
      return randomInteger(field.type, random);
  }
}

function randomEnum(field: FieldLayout, random: Random): unknown {
  if (field.enum.isNull) return null;
  const names = [...field.enum.names.values()];
  return random.next() < 0.1 ? 7654 : names[random.below(names.length)];
}

function randomInteger(type: number, random: Random): number | bigint {
  if (type === T_UINT64 || type === T_FIXED64) return random.pick([0, 1, 2 ** 32, 2 ** 53 - 1, 2n ** 64n - 1n]);
  if (integer64Types.has(type)) return random.pick([0, -1, 127, -(2 ** 33), 2n ** 63n - 1n, -(2n ** 63n), 2 ** 53 - 1]);
  if (type === T_UINT32 || type === T_FIXED32) return random.pick([0, 1, 128, 4294967295, random.below(1e9)]);
  return random.pick([0, -1, 2147483647, -2147483648, random.below(1e9)]);
}

function randomBytes(random: Random): Uint8Array {
  return Uint8Array.from({ length: random.below(5) }, () => random.below(256));
}

function randomJson(random: Random, depth: number): unknown {
  if (depth < 3 && random.next() < 0.3) return { k: randomJson(random, depth + 1), l: [randomJson(random, depth + 1)] };
  return random.pick<unknown>([null, true, false, 0, -1.5, '', 'text', [], {}]);
}

function isDefault(field: FieldLayout, value: unknown): boolean {
  if (field.isRepeated || field.mapKey !== null) return false;
  if (field.type === T_ENUM) return typeof value === 'string' && field.enum.numbers.get(value) === 0;
  return value === 0 || value === '' || value === false || (value instanceof Uint8Array && value.length === 0);
}
