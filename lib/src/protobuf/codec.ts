// The door of the protobuf codec: messages of the xDS table between bytes, memory and proto3 JSON.
//
// In memory a message is a plain sparse object with lowerCamelCase names; see `@weft/api/xds/types` for the types.
import type { google, MessageTypes } from '@weft/api/xds/types';
import type { Issue } from '../issue.ts';
import { decodeLayout } from './decode.ts';
import { encodeLayout } from './encode.ts';
import { layoutFromJson } from './from-json.ts';
import { ProtobufError } from './protobuf-error.ts';
import { findLayout, layoutOf } from './schema.ts';
import { type JsonOptions, layoutToJson } from './to-json.ts';

export { ProtobufError } from './protobuf-error.ts';
export { unknownFieldsOf } from './unknown-fields.ts';

/** Full name of a message in the table. */
export type MessageName = keyof MessageTypes;

type Any = google.protobuf.Any;

const typePrefix = 'type.googleapis.com/';

/** Encodes a message; throws ProtobufError when a value does not fit its field. */
export function encodeMessage<N extends MessageName>(typeName: N, message: MessageTypes[N]): Uint8Array {
  return encodeLayout(layoutOf(typeName), message);
}

/** Decodes a message; throws ProtobufError with offset and path. `bytes` fields and Any values are views of the input. */
export function decodeMessage<N extends MessageName>(typeName: N, bytes: Uint8Array): MessageTypes[N] {
  return decodeLayout(layoutOf(typeName), bytes) as MessageTypes[N];
}

/** Reads proto3 JSON (either spelling of names); every problem becomes an Issue under `path`, and the rest is returned. */
export function messageFromJson<N extends MessageName>(
  typeName: N,
  json: unknown,
  issues: Issue[],
  path = '',
): MessageTypes[N] {
  return layoutFromJson(layoutOf(typeName), json, issues, path) as MessageTypes[N];
}

/** Proto3 JSON of a message, each Any expanded with `@type`. */
export function messageToJson<N extends MessageName>(
  typeName: N,
  message: MessageTypes[N],
  options: JsonOptions = {},
): unknown {
  return layoutToJson(layoutOf(typeName), message, options);
}

/** Whether the table has a message of that name. */
export function isMessageName(name: string): name is MessageName {
  return findLayout(name) !== null;
}

/** The type URL of a message: `type.googleapis.com/` and its name. */
export function typeUrlOf(typeName: MessageName): string {
  return `${typePrefix}${typeName}`;
}

/** The message name in an Any or type URL: what follows the last slash. */
export function typeNameOf(anyOrUrl: Any | string): string {
  const url = typeof anyOrUrl === 'string' ? anyOrUrl : anyOrUrl.typeUrl;
  return url.slice(url.lastIndexOf('/') + 1);
}

/** Encodes a message into an Any. */
export function packAny<N extends MessageName>(typeName: N, message: MessageTypes[N]): Any {
  return { typeUrl: typeUrlOf(typeName), value: encodeMessage(typeName, message) };
}

/** Decodes an Any. With a name the Any must hold that message; without, it may be any message of the table. Throws ProtobufError. */
export function unpackAny<N extends MessageName>(any: Any, typeName: N): MessageTypes[N];
export function unpackAny(any: Any): unknown;
export function unpackAny(any: Any, typeName?: MessageName): unknown {
  const actual = typeNameOf(any);
  if (typeName !== undefined && actual !== typeName) {
    throw new ProtobufError(typeName, `an Any holds ${actual === '' ? 'nothing' : actual} instead`, -1, '');
  }
  const layout = findLayout(actual);
  if (layout === null) throw new ProtobufError(actual, 'no such message is known', -1, '');
  return decodeLayout(layout, any.value);
}
