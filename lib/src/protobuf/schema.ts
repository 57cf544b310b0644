// Layouts of messages and enums, parsed from the generated table when a message is first used (the line format is described in
// scripts/generate/table.ts). Everything else in this folder interprets layouts.
import * as table from '@weft/api/xds/table';
import { assert } from '../assert.ts';

/** Type codes: the place of the type's letter in the table's alphabet. */
export const T_DOUBLE = 0;
export const T_FLOAT = 1;
export const T_INT32 = 2;
export const T_INT64 = 3;
export const T_UINT32 = 4;
export const T_UINT64 = 5;
export const T_SINT32 = 6;
export const T_SINT64 = 7;
export const T_FIXED32 = 8;
export const T_FIXED64 = 9;
export const T_SFIXED32 = 10;
export const T_SFIXED64 = 11;
export const T_BOOL = 12;
export const T_STRING = 13;
export const T_BYTES = 14;
export const T_ENUM = 15;
export const T_MESSAGE = 16;

const alphabet = 'dfiIuUzZxXyYbsB';

/** The types that JSON writes as strings. */
export const integer64Types: ReadonlySet<number> = new Set([T_INT64, T_UINT64, T_SINT64, T_FIXED64, T_SFIXED64]);

export const WIRE_VARINT = 0;
export const WIRE_64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_GROUP_START = 3;
export const WIRE_GROUP_END = 4;
export const WIRE_32 = 5;

const wireTypes: readonly number[] = [
  ...[WIRE_64, WIRE_32, WIRE_VARINT, WIRE_VARINT, WIRE_VARINT, WIRE_VARINT, WIRE_VARINT, WIRE_VARINT],
  ...[WIRE_32, WIRE_64, WIRE_32, WIRE_64, WIRE_VARINT, WIRE_BYTES, WIRE_BYTES, WIRE_VARINT, WIRE_BYTES],
];

/** How a message is held in memory when not as an object of its fields. */
export type MessageForm =
  | 'fields'
  | 'wrapper'
  | 'struct'
  | 'value'
  | 'list'
  | 'any'
  | 'duration'
  | 'timestamp'
  | 'mask';

const forms: Readonly<Record<string, MessageForm>> = {
  'google.protobuf.DoubleValue': 'wrapper',
  'google.protobuf.FloatValue': 'wrapper',
  'google.protobuf.Int64Value': 'wrapper',
  'google.protobuf.UInt64Value': 'wrapper',
  'google.protobuf.Int32Value': 'wrapper',
  'google.protobuf.UInt32Value': 'wrapper',
  'google.protobuf.BoolValue': 'wrapper',
  'google.protobuf.StringValue': 'wrapper',
  'google.protobuf.BytesValue': 'wrapper',
  'google.protobuf.Struct': 'struct',
  'google.protobuf.Value': 'value',
  'google.protobuf.ListValue': 'list',
  'google.protobuf.Any': 'any',
  'google.protobuf.Duration': 'duration',
  'google.protobuf.Timestamp': 'timestamp',
  'google.protobuf.FieldMask': 'mask',
};

/** An enum's values both ways. */
export class EnumLayout {
  readonly name: string;
  readonly numbers: ReadonlyMap<string, number>;
  /** The first name of each number, as aliases exist. */
  readonly names: ReadonlyMap<number, string>;
  readonly deprecated: ReadonlySet<string>;
  /** google.protobuf.NullValue, whose only value is `null` in memory. */
  readonly isNull: boolean;

  constructor(line: string) {
    const [name = '', values = ''] = line.split('\t');
    const numbers = new Map<string, number>();
    const names = new Map<number, string>();
    const deprecated = new Set<string>();
    for (const value of values.split(',')) {
      const equals = value.indexOf('=');
      const valueName = value.slice(0, equals);
      const number = Number.parseInt(value.slice(equals + 1), 10);
      numbers.set(valueName, number);
      if (!names.has(number)) names.set(number, valueName);
      if (value.endsWith('!')) deprecated.add(valueName);
    }
    this.name = name;
    this.numbers = numbers;
    this.names = names;
    this.deprecated = deprecated;
    this.isNull = name === 'google.protobuf.NullValue';
  }
}

/** One field. For a map, `mapKey` and `mapValue` are the fields of its entries. */
export class FieldLayout {
  readonly number: number;
  /** lowerCamelCase, the name in memory. */
  readonly name: string;
  /** As in the .proto file. */
  readonly originalName: string;
  readonly type: number;
  readonly wireType: number;
  readonly isRepeated: boolean;
  /** Repeated fields of numbers are written as one run of bytes. */
  readonly isPacked: boolean;
  readonly mapKey: FieldLayout | null;
  readonly mapValue: FieldLayout | null;
  /** Index of its oneof in the message, or -1. */
  readonly oneof: number;
  /** Unset and default differ: messages, oneof members, `optional`. */
  readonly hasPresence: boolean;
  readonly isDeprecated: boolean;
  private readonly typeIndex: number;
  private messageLayout: MessageLayout | null = null;
  private enumLayout: EnumLayout | null = null;

  constructor(originalName: string, number: number, typeText: string, flags: string) {
    let type = typeText;
    let mapKey: FieldLayout | null = null;
    if (type.startsWith('%')) {
      mapKey = new FieldLayout('key', 1, type.slice(1, 2), '');
      type = type.slice(2);
    }
    this.isRepeated = type.startsWith('*');
    if (this.isRepeated) type = type.slice(1);
    const letter = type.charAt(0);
    this.mapKey = mapKey;
    this.mapValue = mapKey === null ? null : new FieldLayout('value', 2, type, '');
    this.type = mapKey !== null || letter === 'M' ? T_MESSAGE : letter === 'E' ? T_ENUM : alphabet.indexOf(letter);
    this.typeIndex = letter === 'M' || letter === 'E' ? Number.parseInt(type.slice(1), 36) : -1;
    this.wireType = wireTypes[this.type] ?? WIRE_BYTES;
    this.isPacked = this.isRepeated && this.wireType !== WIRE_BYTES;
    this.number = number;
    this.originalName = originalName;
    this.name = jsonName(originalName);
    const oneof = /^o(\d+)/.exec(flags);
    this.oneof = oneof === null ? -1 : Number(oneof[1]);
    this.hasPresence = this.oneof >= 0 || flags.includes('p') || this.type === T_MESSAGE;
    this.isDeprecated = flags.includes('d');
  }

  /** The layout of a message field's type. */
  get message(): MessageLayout {
    if (this.messageLayout === null) {
      assert(this.type === T_MESSAGE && this.mapKey === null, `${this.originalName} is not a message`);
      this.messageLayout = layoutAt(this.typeIndex);
    }
    return this.messageLayout;
  }

  get enum(): EnumLayout {
    if (this.enumLayout === null) {
      assert(this.type === T_ENUM, `${this.originalName} is not an enum`);
      this.enumLayout = enumAt(this.typeIndex);
    }
    return this.enumLayout;
  }
}

/** One message: its fields in order of number, and by number and name. */
export class MessageLayout {
  readonly name: string;
  readonly form: MessageForm;
  readonly fields: readonly FieldLayout[];
  readonly byNumber: ReadonlyMap<number, FieldLayout>;
  /** By the name in memory. */
  readonly byJsonName: ReadonlyMap<string, FieldLayout>;
  /** By JSON name and by original name. */
  readonly byName: ReadonlyMap<string, FieldLayout>;
  /** JSON names of each oneof's members. */
  readonly oneofs: readonly (readonly string[])[];

  constructor(line: string) {
    const tab = line.indexOf('\t');
    const fields = line
      .slice(tab + 1)
      .split(',')
      .filter((text) => text !== '')
      .map(parseField);
    this.name = line.slice(0, tab);
    this.form = forms[this.name] ?? 'fields';
    this.fields = fields;
    this.byNumber = new Map(fields.map((field) => [field.number, field]));
    this.byJsonName = new Map(fields.map((field) => [field.name, field]));
    this.byName = new Map(
      fields.flatMap((field) => [
        [field.name, field],
        [field.originalName, field],
      ]),
    );
    const oneofs: string[][] = [];
    for (const field of fields) {
      if (field.oneof < 0) continue;
      const members = oneofs[field.oneof] ?? [];
      members.push(field.name);
      oneofs[field.oneof] = members;
    }
    this.oneofs = oneofs;
  }
}

function parseField(text: string): FieldLayout {
  const [name = '', number = '', type = '', flags = ''] = text.split(' ');
  return new FieldLayout(name, Number(number), type, flags);
}

function jsonName(originalName: string): string {
  return originalName.replace(/_+([a-zA-Z0-9])?/g, (_match, letter: string | undefined) =>
    (letter ?? '').toUpperCase(),
  );
}

const messageLines = table.messages.split('\n');
const enumLines = table.enums.split('\n');
const indexByName = new Map(messageLines.map((line, index) => [line.slice(0, line.indexOf('\t')), index]));
const layouts: (MessageLayout | undefined)[] = new Array<MessageLayout | undefined>(messageLines.length).fill(
  undefined,
);
const enumLayouts: (EnumLayout | undefined)[] = new Array<EnumLayout | undefined>(enumLines.length).fill(undefined);

function layoutAt(index: number): MessageLayout {
  return (layouts[index] ??= new MessageLayout(messageLines[index] ?? ''));
}

function enumAt(index: number): EnumLayout {
  return (enumLayouts[index] ??= new EnumLayout(enumLines[index] ?? ''));
}

/** The layout of a message by full name, or null when the table does not have it. */
export function findLayout(typeName: string): MessageLayout | null {
  const index = indexByName.get(typeName);
  return index === undefined ? null : layoutAt(index);
}

/** The layout of a message that must exist. */
export function layoutOf(typeName: string): MessageLayout {
  const layout = findLayout(typeName);
  assert(layout !== null, `no message is named ${typeName}; add it to scripts/generate/roots.ts`);
  return layout;
}

/** Full names of every message in the table. */
export function messageNames(): readonly string[] {
  return [...indexByName.keys()];
}
