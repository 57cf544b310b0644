// Message -> proto3 JSON, for dumps and for people. An Any is expanded when its type is known, else shown as base64.
import { decodeLayout } from './decode.ts';
import { isSingleValueForm } from './from-json.ts';
import { checkDuration, checkTimestamp, isMessageObject, secondsAndNanos } from './message-form.ts';
import { depthLimit, ProtobufError } from './protobuf-error.ts';
import {
  type FieldLayout,
  findLayout,
  integer64Types,
  type MessageLayout,
  T_BOOL,
  T_BYTES,
  T_DOUBLE,
  T_ENUM,
  T_FLOAT,
  T_MESSAGE,
  T_STRING,
} from './schema.ts';
import { formatDuration, formatTimestamp } from './time-text.ts';
import { type MessageObject, setKey } from './unknown-fields.ts';

export interface JsonOptions {
  /** Names as in the .proto file (snake_case, as Envoy prints them) instead of lowerCamelCase. */
  readonly originalNames?: boolean;
}

/** The JSON value of a message in memory. Unknown fields have no JSON form and are left out. */
export function layoutToJson(layout: MessageLayout, message: unknown, options: JsonOptions): unknown {
  return new JsonWriter(options.originalNames === true).writeMessage(layout, message, 0);
}

class JsonWriter {
  private readonly originalNames: boolean;

  constructor(originalNames: boolean) {
    this.originalNames = originalNames;
  }

  writeMessage(layout: MessageLayout, message: unknown, depth: number): unknown {
    if (depth > depthLimit)
      throw new ProtobufError(layout.name, `messages are nested more than ${depthLimit} deep`, -1, '');
    switch (layout.form) {
      case 'wrapper':
        return this.writeScalar(layout.fields[0] as FieldLayout, message);
      case 'struct':
      case 'list':
      case 'value':
        return message;
      case 'any':
        return this.writeAny(message, depth);
      case 'duration':
      case 'timestamp':
        return writeTime(layout.form, message);
      case 'mask':
        return writeMask(message);
      case 'fields':
        return this.writeFields(layout, message, depth);
    }
  }

  private writeFields(layout: MessageLayout, message: unknown, depth: number): MessageObject {
    const json: MessageObject = {};
    if (!isMessageObject(message)) return json;
    for (const field of layout.fields) {
      const value = message[field.name];
      if (value === undefined) continue;
      json[this.originalNames ? field.originalName : field.name] = this.writeField(field, value, depth);
    }
    return json;
  }

  private writeField(field: FieldLayout, value: unknown, depth: number): unknown {
    if (field.mapValue !== null) return this.writeMap(field.mapValue, value, depth);
    if (!field.isRepeated) return this.writeElement(field, value, depth);
    return Array.isArray(value) ? value.map((element: unknown) => this.writeElement(field, element, depth)) : [];
  }

  private writeMap(mapValue: FieldLayout, map: unknown, depth: number): MessageObject {
    const json: MessageObject = {};
    if (!isMessageObject(map)) return json;
    for (const key of Object.keys(map)) setKey(json, key, this.writeElement(mapValue, map[key], depth));
    return json;
  }

  private writeElement(field: FieldLayout, value: unknown, depth: number): unknown {
    if (field.type === T_MESSAGE) return this.writeMessage(field.message, value, depth + 1);
    return this.writeScalar(field, value);
  }

  private writeScalar(field: FieldLayout, value: unknown): unknown {
    switch (field.type) {
      case T_STRING:
      case T_BOOL:
      case T_ENUM:
        return value;
      case T_BYTES:
        return value instanceof Uint8Array ? base64(value) : '';
      case T_DOUBLE:
      case T_FLOAT:
        return Number.isFinite(value) ? value : String(value);
      default:
        return integer64Types.has(field.type) ? String(value) : value;
    }
  }

  private writeAny(any: unknown, depth: number): MessageObject {
    const { typeUrl, value } = isMessageObject(any) ? any : {};
    if (typeof typeUrl !== 'string' || !(value instanceof Uint8Array)) return {};
    const layout = findLayout(typeUrl.slice(typeUrl.lastIndexOf('/') + 1));
    const json = layout === null || depth >= depthLimit - 1 ? null : this.expandAny(layout, value, depth + 1);
    if (json === null) return { '@type': typeUrl, value: base64(value) };
    return isMessageObject(json) && layout !== null && !isSingleValueForm(layout)
      ? { '@type': typeUrl, ...json }
      : { '@type': typeUrl, value: json };
  }

  /** Null when the bytes are not what the type says: a dump shows them as they are. */
  private expandAny(layout: MessageLayout, bytes: Uint8Array, depth: number): unknown {
    try {
      return this.writeMessage(layout, decodeLayout(layout, bytes), depth);
    } catch (thrown) {
      if (thrown instanceof ProtobufError) return null;
      throw thrown;
    }
  }
}

function writeTime(form: 'duration' | 'timestamp', message: unknown): string {
  const value = isMessageObject(message) ? message : {};
  const { seconds, nanos } = secondsAndNanos(form === 'duration' ? checkDuration(value) : checkTimestamp(value));
  return form === 'duration' ? formatDuration(seconds, nanos) : formatTimestamp(seconds, nanos);
}

function writeMask(message: unknown): string {
  const paths = isMessageObject(message) ? message.paths : undefined;
  if (!Array.isArray(paths)) return '';
  return paths
    .map((path) => String(path).replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase()))
    .join(',');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
