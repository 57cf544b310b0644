// TypedStruct: a configuration written as plain JSON, for extensions whose messages the sender does not have.
import type { google } from '@weft/api/xds/types';
import { ProtobufError, typeNameOf, unpackAny } from './codec.ts';

const names = ['udpa.type.v1.TypedStruct', 'xds.type.v3.TypedStruct'] as const;

/** The type that an Any stands for: its own, or the one that a TypedStruct in it names. Empty when that cannot be read. */
export function extensionTypeOf(any: google.protobuf.Any): string {
  const typeName = typeNameOf(any);
  const struct = names.find((name) => name === typeName);
  if (struct === undefined) return typeName;
  try {
    return typeNameOf(unpackAny(any, struct).typeUrl ?? '');
  } catch (thrown) {
    if (thrown instanceof ProtobufError) return '';
    throw thrown;
  }
}
