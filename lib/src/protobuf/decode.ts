// Bytes -> message, by interpreting the layout. Strict: what is malformed is an error that names offset and path.
import { signed64, unsigned64 } from './integer64.ts';
import { defaultOf, FormError, foldForm } from './message-form.ts';
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
  T_INT64,
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
import { type MessageObject, setKey, unknownFields } from './unknown-fields.ts';
import { WireError, WireReader } from './wire-reader.ts';

/**
 * Decodes one message. Fields with their default value and without presence are left out, unknown fields are kept.
 * `bytes` fields and Any values are views of the input.
 */
export function decodeLayout(layout: MessageLayout, bytes: Uint8Array): unknown {
  const decoder = new Decoder(bytes);
  try {
    return decoder.readMessage(layout, bytes.byteLength, undefined);
  } catch (thrown) {
    if (thrown instanceof WireError) {
      throw new ProtobufError(layout.name, thrown.message, thrown.offset, decoder.place.path());
    }
    if (thrown instanceof FormError) {
      throw new ProtobufError(layout.name, thrown.message, decoder.position, decoder.place.path());
    }
    throw thrown;
  }
}

class Decoder {
  private readonly reader: WireReader;
  readonly place = new Place();

  constructor(bytes: Uint8Array) {
    this.reader = new WireReader(bytes);
  }

  get position(): number {
    return this.reader.position;
  }

  /** Reads up to `end`; a second occurrence of a message field is merged into `target`. */
  readMessage(layout: MessageLayout, end: number, target: MessageObject | undefined): unknown {
    const reader = this.reader;
    if (this.place.depth >= depthLimit)
      throw new WireError(`messages are nested more than ${depthLimit} deep`, reader.position);
    const outerLimit = reader.limit;
    reader.limit = end;
    const message: MessageObject = target ?? {};
    // Bit per oneof of which a member has been seen; all of them when an earlier occurrence may have set some.
    let seenOneofs = target === undefined ? 0 : -1;
    while (reader.position < end) {
      const start = reader.position;
      this.place.set(null);
      const tag = reader.readTag();
      const field = layout.byNumber.get(tag >>> 3);
      if (field === undefined) {
        this.keepUnknown(message, start, tag);
        continue;
      }
      if (field.oneof >= 0) {
        if ((seenOneofs & (1 << field.oneof)) !== 0) clearOneof(layout, message, field);
        seenOneofs |= 1 << field.oneof;
      }
      this.readField(message, field, tag & 7);
    }
    reader.limit = outerLimit;
    return foldForm(layout, message);
  }

  private keepUnknown(message: MessageObject, start: number, tag: number): void {
    this.reader.skip(tag, depthLimit - this.place.depth);
    // A copy, so that a few bytes do not keep a whole response in memory.
    const raw = new Uint8Array(this.reader.bytes.subarray(start, this.reader.position));
    const kept = message[unknownFields];
    if (kept === undefined) message[unknownFields] = [raw];
    else kept.push(raw);
  }

  private readField(message: MessageObject, field: FieldLayout, wireType: number): void {
    this.place.set(field);
    if (field.mapKey !== null && field.mapValue !== null) this.readMapEntry(message, field, wireType);
    else if (field.isRepeated) this.readRepeated(message, field, wireType);
    else this.readSingular(message, field, wireType);
  }

  private readSingular(message: MessageObject, field: FieldLayout, wireType: number): void {
    this.expectWireType(field, wireType);
    const value = this.readValue(field, message[field.name]);
    // Implicit presence: the default is the same as unset, also where an earlier occurrence had set it.
    if (!field.hasPresence && isDefault(field, value)) {
      if (message[field.name] !== undefined) delete message[field.name];
      return;
    }
    message[field.name] = value;
  }

  private readRepeated(message: MessageObject, field: FieldLayout, wireType: number): void {
    const existing = message[field.name];
    const list: unknown[] = Array.isArray(existing) ? existing : [];
    if (wireType === WIRE_BYTES && field.isPacked) this.readPacked(list, field);
    else {
      this.expectWireType(field, wireType);
      this.place.at(list.length);
      list.push(this.readValue(field, undefined));
    }
    if (list.length > 0) message[field.name] = list;
  }

  private readPacked(list: unknown[], field: FieldLayout): void {
    const reader = this.reader;
    const end = reader.readLength() + reader.position;
    const outerLimit = reader.limit;
    reader.limit = end;
    while (reader.position < end) {
      this.place.at(list.length);
      list.push(this.readScalar(field));
    }
    reader.limit = outerLimit;
  }

  private readMapEntry(message: MessageObject, field: FieldLayout, wireType: number): void {
    const { mapKey, mapValue } = field;
    if (mapKey === null || mapValue === null) return;
    this.expectWireType(field, wireType);
    const reader = this.reader;
    const end = reader.readLength() + reader.position;
    const outerLimit = reader.limit;
    reader.limit = end;
    let key = String(defaultOf(mapKey));
    let value: unknown;
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag >>> 3 === 1) {
        this.expectWireType(mapKey, tag & 7);
        key = String(this.readScalar(mapKey));
        this.place.at(key);
      } else if (tag >>> 3 === 2) {
        this.expectWireType(mapValue, tag & 7);
        value = this.readValue(mapValue, value);
      } else reader.skip(tag, depthLimit - this.place.depth);
    }
    reader.limit = outerLimit;
    const map = message[field.name] ?? {};
    message[field.name] = map;
    setKey(map as MessageObject, key, value ?? this.defaultMapValue(mapValue));
  }

  private defaultMapValue(field: FieldLayout): unknown {
    if (field.type === T_MESSAGE) return foldForm(field.message, {});
    if (field.type === T_ENUM) return enumValue(field, 0);
    return defaultOf(field);
  }

  private readValue(field: FieldLayout, existing: unknown): unknown {
    if (field.type !== T_MESSAGE) return this.readScalar(field);
    const layout = field.message;
    const length = this.reader.readLength();
    const target = layout.form === 'fields' && existing !== undefined ? (existing as MessageObject) : undefined;
    this.place.enter();
    const value = this.readMessage(layout, this.reader.position + length, target);
    this.place.leave();
    return value;
  }

  private expectWireType(field: FieldLayout, wireType: number): void {
    if (wireType === field.wireType) return;
    const problem = `wire type ${wireType} where ${field.wireType} belongs; the sender uses another definition of this message`;
    throw new WireError(problem, this.reader.position);
  }

  private readScalar(field: FieldLayout): unknown {
    const reader = this.reader;
    switch (field.type) {
      case T_STRING:
        return reader.readString();
      case T_BYTES:
        return reader.readBytes();
      case T_DOUBLE:
        return reader.bytes.readDoubleLE(reader.take(8));
      case T_FLOAT:
        return reader.bytes.readFloatLE(reader.take(4));
      case T_FIXED32:
        return reader.bytes.readUInt32LE(reader.take(4));
      case T_SFIXED32:
        return reader.bytes.readInt32LE(reader.take(4));
      case T_FIXED64:
      case T_SFIXED64:
        return this.readFixed64(field.type === T_SFIXED64);
      default:
        reader.readVarint();
        return varintValue(field, reader.low, reader.high);
    }
  }

  private readFixed64(isSigned: boolean): number | bigint {
    const at = this.reader.take(8);
    const low = this.reader.bytes.readInt32LE(at);
    const high = this.reader.bytes.readInt32LE(at + 4);
    return isSigned ? signed64(low, high) : unsigned64(low, high);
  }
}

function varintValue(field: FieldLayout, low: number, high: number): unknown {
  switch (field.type) {
    case T_BOOL:
      return (low | high) !== 0;
    case T_UINT32:
      return low >>> 0;
    case T_INT32:
      return low | 0;
    case T_SINT32:
      return (low >>> 1) ^ -(low & 1);
    case T_UINT64:
      return unsigned64(low, high);
    case T_INT64:
      return signed64(low, high);
    case T_SINT64: {
      const sign = -(low & 1);
      return signed64(((low >>> 1) | (high << 31)) ^ sign, (high >>> 1) ^ sign);
    }
    default:
      return enumValue(field, low | 0);
  }
}

function enumValue(field: FieldLayout, number: number): unknown {
  if (field.enum.isNull) return null;
  return field.enum.names.get(number) ?? number;
}

function isDefault(field: FieldLayout, value: unknown): boolean {
  switch (field.type) {
    case T_STRING:
      return value === '';
    case T_BOOL:
      return value === false;
    case T_BYTES:
      return value instanceof Uint8Array && value.length === 0;
    case T_ENUM:
      return value === 0 || (typeof value === 'string' && field.enum.numbers.get(value) === 0);
    default:
      // Minus zero is not the default: its bits differ.
      return Object.is(value, 0);
  }
}

/** The last member on the wire wins. */
function clearOneof(layout: MessageLayout, message: MessageObject, field: FieldLayout): void {
  for (const name of layout.oneofs[field.oneof] ?? []) {
    if (name !== field.name && message[name] !== undefined) delete message[name];
  }
}
