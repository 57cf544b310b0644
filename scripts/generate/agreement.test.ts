// The table and our codec against protobufjs, which read the same .proto files: random messages of every type, both ways.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeLayout } from '@weft/lib/protobuf/decode';
import { encodeLayout } from '@weft/lib/protobuf/encode';
import { layoutFromJson } from '@weft/lib/protobuf/from-json';
import { isMessageObject, unfoldForm } from '@weft/lib/protobuf/message-form';
import { type FieldLayout, layoutOf, type MessageLayout, T_MESSAGE } from '@weft/lib/protobuf/schema';
import { layoutToJson } from '@weft/lib/protobuf/to-json';
import type protobuf from 'protobufjs';
import { Random, randomMessage } from './random-message.ts';
import { rootMessages } from './roots.ts';
import { fullNameOf, loadClosure, type ProtoFolder } from './schema.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const deps = 'node_modules/@grpc/grpc-js-xds/deps';
const folders: ProtoFolder[] = [
  ...['api/proto', `${deps}/envoy-api`, `${deps}/xds`, `${deps}/googleapis`, `${deps}/protoc-gen-validate`].map(
    (path) => ({
      path: join(root, path),
      files: readdirSync(join(root, path), { recursive: true, encoding: 'utf8' }).filter((file) =>
        file.endsWith('.proto'),
      ),
    }),
  ),
  { path: join(root, 'node_modules/protobufjs'), files: [] },
];
const types = loadClosure(folders, rootMessages).messages;
const seed = Number(process.env.WEFT_SEED ?? 1);
const rounds = Number(process.env.WEFT_ROUNDS ?? 12);

test(`agrees with protobufjs on random messages in binary (WEFT_SEED=${seed})`, () => {
  forEachRandom((type, layout, message) => {
    const ours = encodeLayout(layout, message);
    const theirs = type.encode(type.fromObject(asFields(layout, message))).finish();
    assert.deepEqual(decodeLayout(layout, theirs), message, `decoding what protobufjs encoded: ${layout.name}`);
    const read = type.toObject(type.decode(ours), { longs: String, enums: String });
    assert.deepEqual(normal(read), normal(asFields(layout, message)), `protobufjs decoding ours: ${layout.name}`);
  });
});

test(`gets random messages back from its own JSON, in both spellings (WEFT_SEED=${seed})`, () => {
  forEachRandom((_type, layout, message) => {
    for (const originalNames of [true, false]) {
      const issues: never[] = [];
      const json: unknown = JSON.parse(JSON.stringify(layoutToJson(layout, message, { originalNames })));
      const read = layoutFromJson(layout, json, issues, '');
      assert.deepEqual(issues, [], layout.name);
      assert.deepEqual(read, message, layout.name);
    }
  });
});

function forEachRandom(check: (type: protobuf.Type, layout: MessageLayout, message: unknown) => void): void {
  for (const type of types) {
    const layout = layoutOf(fullNameOf(type));
    for (let round = 0; round < rounds; round++)
      check(type, layout, randomMessage(layout, new Random(seed * 7919 + round)));
  }
}

/** A message as protobufjs holds it: well-known types by their fields, names as in the .proto file. */
function asFields(layout: MessageLayout, value: unknown): Record<string, unknown> {
  const message = unfoldForm(layout, value);
  const fields: Record<string, unknown> = {};
  for (const field of layout.fields) {
    const held = message[field.name];
    if (held !== undefined && !isEmpty(field, held)) fields[field.originalName] = fieldAsFields(field, held);
  }
  return fields;
}

function isEmpty(field: FieldLayout, held: unknown): boolean {
  return (field.isRepeated || field.mapKey !== null) && Object.keys(held ?? {}).length === 0;
}

function fieldAsFields(field: FieldLayout, held: unknown): unknown {
  if (field.mapValue !== null && isMessageObject(held)) {
    const { mapValue } = field;
    return Object.fromEntries(Object.entries(held).map(([key, value]) => [key, elementAsFields(mapValue, value)]));
  }
  return Array.isArray(held) && field.isRepeated
    ? held.map((element: unknown) => elementAsFields(field, element))
    : elementAsFields(field, held);
}

function elementAsFields(field: FieldLayout, value: unknown): unknown {
  if (field.type === T_MESSAGE) return asFields(field.message, value);
  if (value === null) return 'NULL_VALUE';
  return typeof value === 'bigint' ? String(value) : value;
}

/** One spelling for what the two hold differently: 64-bit integers, bytes, zeros of wrappers, plain objects. */
function normal(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(normal);
  if (isMessageObject(value)) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, field]) => !isZero(field))
        .map(([key, field]) => [key, normal(field)])
        .sort(),
    );
  }
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return value;
}

function isZero(value: unknown): boolean {
  return (
    value === 0 ||
    value === '0' ||
    value === false ||
    value === '' ||
    (value instanceof Uint8Array && value.length === 0)
  );
}
