import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packAny } from './codec.ts';
import { extensionTypeOf } from './typed-struct.ts';

test('sees through both kinds of TypedStruct', () => {
  const message = { typeUrl: 'type.googleapis.com/stats.PluginConfig', value: { a: 1 } };
  assert.equal(extensionTypeOf(packAny('udpa.type.v1.TypedStruct', message)), 'stats.PluginConfig');
  assert.equal(extensionTypeOf(packAny('xds.type.v3.TypedStruct', message)), 'stats.PluginConfig');
});

test('gives the type itself of any other message', () => {
  assert.equal(extensionTypeOf(packAny('google.protobuf.Empty', {})), 'google.protobuf.Empty');
  assert.equal(extensionTypeOf({ typeUrl: 'type.googleapis.com/x.Unknown', value: Uint8Array.of(1) }), 'x.Unknown');
});

test('gives nothing for bytes that are no TypedStruct', () => {
  const typeUrl = 'type.googleapis.com/udpa.type.v1.TypedStruct';
  assert.equal(extensionTypeOf({ typeUrl, value: Uint8Array.of(0xff) }), '');
  assert.equal(extensionTypeOf({ typeUrl, value: Uint8Array.of() }), '');
});
