// Message -> bytes, by interpreting the layout. Deterministic: fields in order of number, maps in order of insertion, unknown fields last.
import { highHalf, lowHalf } from './integer64.ts';
import { describe, FormError, isMessageObject, unfoldForm } from './message-form.ts';
import { Place } from './place.ts';
import { depthLimit, ProtobufError } from './protobuf-error.ts';
import {
  type FieldLayout,
  type MessageLayout,
  T_BOOL,
  T_BYTES,
  T_DOUBLE,
  T_ENUM,
  T_FIXED32,
  T_FIXED64,
  T_FLOAT,
  T_INT32,
  T_MESSAGE,
  T_SFIXED32,
  T_SFIXED64,
  T_SINT32,
  T_SINT64,
  T_STRING,
  T_UINT32,
  T_UINT64,
  WIRE_BYTES,
} from './schema.ts';
import { type MessageObject, unknownFieldsOf } from './unknown-fields.ts';
import { WireWriter } from './wire-writer.ts';

/** Encodes one message. A value that does not fit its field is a ProtobufError with the field's path. */
export function encodeLayout(layout: MessageLayout, message: unknown): Uint8Array {
  const encoder = new Encoder();
  try {
    encoder.writeMessage(layout, message);
  } catch (thrown) {
    if (!(thrown instanceof FormError)) throw thrown;
    throw new ProtobufError(layout.name, thrown.message, -1, encoder.place.path());
  }
  return encoder.writer.finish();
}

class Encoder {
  readonly writer = new WireWriter();
  readonly place = new Place();

  /** Everything is written last to first, because the writer prepends. */
  writeMessage(layout: MessageLayout, value: unknown): void {
    if (this.place.depth >= depthLimit) throw new FormError(`messages are nested more than ${depthLimit} deep`);
    const message = unfoldForm(layout, value);
    const unknown = unknownFieldsOf(message);
    for (let i = unknown.length - 1; i >= 0; i--) this.writer.raw(unknown[i] as Uint8Array);
    const fields = fieldsOf(layout, message);
    for (let i = fields.length - 1; i >= 0; i--) {
      const field = fields[i] as FieldLayout;
      this.place.set(field);
      this.writeField(field, message[field.name]);
    }
  }

  private writeField(field: FieldLayout, value: unknown): void {
    if (field.mapKey !== null && field.mapValue !== null) {
      this.writeMap(field, value);
      return;
    }
    if (field.isRepeated) {
      this.writeRepeated(field, value);
      return;
    }
    if (field.type === T_MESSAGE) {
      this.writeNested(field.message, value);
      this.writer.tag(field.number, WIRE_BYTES);
      return;
    }
    if (this.writeScalar(field, value) || field.hasPresence) this.writer.tag(field.number, field.wireType);
    else this.writer.undo();
  }

  private writeNested(layout: MessageLayout, value: unknown): void {
    const before = this.writer.length;
    this.place.enter();
    this.writeMessage(layout, value);
    this.place.leave();
    this.writer.varint32(this.writer.length - before);
  }

  private writeRepeated(field: FieldLayout, value: unknown): void {
    if (!Array.isArray(value)) throw new FormError(`a list is needed, not ${describe(value)}`);
    if (value.length === 0) return;
    const before = this.writer.length;
    for (let i = value.length - 1; i >= 0; i--) {
      this.place.at(i);
      if (field.type === T_MESSAGE) this.writeNested(field.message, value[i]);
      else this.writeScalar(field, value[i]);
      if (!field.isPacked) this.writer.tag(field.number, field.wireType);
    }
    if (!field.isPacked) return;
    this.writer.varint32(this.writer.length - before);
    this.writer.tag(field.number, WIRE_BYTES);
  }

  private writeMap(field: FieldLayout, map: unknown): void {
    const { mapKey, mapValue } = field;
    if (mapKey === null || mapValue === null) return;
    if (!isMessageObject(map)) throw new FormError(`an object is needed, not ${describe(map)}`);
    for (const key of Object.keys(map).reverse()) {
      const value = map[key];
      if (value === undefined) continue;
      this.place.at(key);
      const before = this.writer.length;
      if (mapValue.type === T_MESSAGE) this.writeNested(mapValue.message, value);
      else this.writeScalar(mapValue, value);
      this.writer.tag(2, mapValue.wireType);
      this.writeScalar(mapKey, parseMapKey(mapKey, key));
      this.writer.tag(1, mapKey.wireType);
      this.writer.varint32(this.writer.length - before);
      this.writer.tag(field.number, WIRE_BYTES);
    }
  }

  /** Writes the value and says whether it differs from the default. */
  private writeScalar(field: FieldLayout, value: unknown): boolean {
    this.writer.mark();
    switch (field.type) {
      case T_STRING:
        if (typeof value !== 'string') throw new FormError(`a string is needed, not ${describe(value)}`);
        this.writer.string(value);
        return value !== '';
      case T_BYTES:
        if (!(value instanceof Uint8Array)) throw new FormError(`bytes are needed, not ${describe(value)}`);
        this.writer.bytes(value);
        return value.length > 0;
      case T_BOOL:
        if (typeof value !== 'boolean') throw new FormError(`true or false is needed, not ${describe(value)}`);
        this.writer.varint32(value ? 1 : 0);
        return value;
      case T_ENUM:
        return this.writeInt32(enumNumber(field, value));
      case T_DOUBLE:
      case T_FLOAT:
        return this.writeFloat(field, value);
      default:
        return this.writeInteger(field, value);
    }
  }

  private writeFloat(field: FieldLayout, value: unknown): boolean {
    if (typeof value !== 'number') throw new FormError(`a number is needed, not ${describe(value)}`);
    if (field.type === T_FLOAT) this.writer.float(value);
    else this.writer.double(value);
    return !Object.is(value, 0);
  }

  private writeInteger(field: FieldLayout, value: unknown): boolean {
    if (typeof value !== 'number' && typeof value !== 'bigint') {
      throw new FormError(`a whole number is needed, not ${describe(value)}`);
    }
    checkIntegerRange(field.type, value);
    const writer = this.writer;
    switch (field.type) {
      case T_INT32:
        return this.writeInt32(Number(value));
      case T_UINT32:
        writer.varint32(Number(value));
        break;
      case T_SINT32:
        writer.varint32((Number(value) << 1) ^ (Number(value) >> 31));
        break;
      case T_FIXED32:
      case T_SFIXED32:
        writer.fixed32(Number(value));
        break;
      case T_FIXED64:
      case T_SFIXED64:
        writer.fixed64(lowHalf(value), highHalf(value));
        break;
      case T_SINT64:
        this.writeZigZag64(lowHalf(value), highHalf(value));
        break;
      default:
        writer.varint64(lowHalf(value), highHalf(value));
    }
    return Number(value) !== 0;
  }

  /** Negative numbers take ten bytes: they are sign-extended to 64 bits. */
  private writeInt32(value: number): boolean {
    if (value < 0) this.writer.varint64(value, -1);
    else this.writer.varint32(value);
    return value !== 0;
  }

  private writeZigZag64(low: number, high: number): void {
    const sign = high >> 31;
    this.writer.varint64((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
  }
}

/** The fields that are set, in order of number. Messages are sparse: a few names are looked up faster than all fields are tried. */
function fieldsOf(layout: MessageLayout, message: MessageObject): FieldLayout[] {
  const fields: FieldLayout[] = [];
  for (const name of Object.keys(message)) {
    if (message[name] === undefined) continue;
    const field = layout.byJsonName.get(name);
    if (field === undefined) throw new FormError(`${layout.name} has no field ${name}`);
    let at = fields.length;
    fields.push(field);
    for (; at > 0 && (fields[at - 1] as FieldLayout).number > field.number; at--)
      fields[at] = fields[at - 1] as FieldLayout;
    fields[at] = field;
  }
  return fields;
}

function enumNumber(field: FieldLayout, value: unknown): number {
  if (value === null && field.enum.isNull) return 0;
  if (typeof value === 'number' && value === (value | 0)) return value;
  const number = typeof value === 'string' ? field.enum.numbers.get(value) : undefined;
  if (number === undefined) throw new FormError(`${describe(value)} is no value of ${field.enum.name}`);
  return number;
}

/** Least and greatest value of each integer type; 64-bit bounds are compared as bigint. */
export function integerRange(type: number): readonly [number | bigint, number | bigint] {
  switch (type) {
    case T_INT32:
    case T_SINT32:
    case T_SFIXED32:
      return [-2147483648, 2147483647];
    case T_UINT32:
    case T_FIXED32:
      return [0, 4294967295];
    case T_UINT64:
    case T_FIXED64:
      return [0n, 18446744073709551615n];
    default:
      return [-9223372036854775808n, 9223372036854775807n];
  }
}

function checkIntegerRange(type: number, value: number | bigint): void {
  const [least, greatest] = integerRange(type);
  const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (isWhole && value >= least && value <= greatest) return;
  throw new FormError(`${value} is not a whole number between ${least} and ${greatest}`);
}

function parseMapKey(field: FieldLayout, key: string): unknown {
  if (field.type === T_STRING) return key;
  if (field.type === T_BOOL) return key === 'true' ? true : key === 'false' ? false : key;
  return /^-?\d+$/.test(key) ? BigInt(key) : key;
}
