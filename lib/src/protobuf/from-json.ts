// proto3 JSON -> message. Finds every problem at once; each is an Issue with the full path of the field as the document spells it.
import type { Issue } from '../issue.ts';
import { encodeLayout } from './encode.ts';
import { fieldPath, indexPath, keyPath } from './field-path.ts';
import { defaultOf, describe, foldForm, isMessageObject } from './message-form.ts';
import { depthLimit, ProtobufError } from './protobuf-error.ts';
import { Misfit, mapKeyFromJson, scalarFromJson } from './scalar-from-json.ts';
import { type FieldLayout, findLayout, type MessageLayout, T_BYTES, T_ENUM, T_MESSAGE } from './schema.ts';
import { nearestName } from './suggestion.ts';
import { parseDuration, parseTimestamp } from './time-text.ts';
import { type MessageObject, setKey } from './unknown-fields.ts';

/** Reads a message; what is wrong is added to `issues` and left out of the result. */
export function layoutFromJson(layout: MessageLayout, json: unknown, issues: Issue[], path: string): unknown {
  return new JsonReader(issues).readMessage(layout, json, path, 0) ?? foldForm(layout, {});
}

/** Messages that JSON writes as a single value; inside an Any it stands under `value`. */
export function isSingleValueForm(layout: MessageLayout): boolean {
  return layout.form !== 'fields';
}

class JsonReader {
  private readonly issues: Issue[];

  constructor(issues: Issue[]) {
    this.issues = issues;
  }

  private report(code: string, path: string, message: string): undefined {
    this.issues.push({ code, level: 'error', message, path });
    return undefined;
  }

  /** The message in memory; undefined when it is not one at all (and was reported). */
  readMessage(layout: MessageLayout, json: unknown, path: string, depth: number): unknown {
    if (depth >= depthLimit) {
      return this.report(
        'WEFT0109',
        path,
        `is nested more than ${depthLimit} messages deep; flatten the configuration`,
      );
    }
    switch (layout.form) {
      case 'wrapper':
        return this.readScalar(layout.fields[0] as FieldLayout, json, path);
      case 'any':
        return this.readAny(json, path, depth);
      case 'duration':
      case 'timestamp':
        return this.readTime(layout.form, json, path);
      case 'mask':
        return this.readMask(json, path);
      case 'value':
        return this.readPlain(json, path, depth);
      case 'struct':
        if (isMessageObject(json)) return this.readPlain(json, path, depth);
        return this.report('WEFT0102', path, `needs an object, not ${describe(json)}`);
      case 'list':
        if (Array.isArray(json)) return this.readPlain(json, path, depth);
        return this.report('WEFT0102', path, `needs a list, not ${describe(json)}`);
      case 'fields':
        if (isMessageObject(json)) return this.readFields(layout, json, path, depth);
        return this.report('WEFT0102', path, `needs an object (${layout.name}), not ${describe(json)}`);
    }
  }

  private readFields(layout: MessageLayout, json: MessageObject, path: string, depth: number): MessageObject {
    const message: MessageObject = {};
    const spelling = new Map<FieldLayout, string>();
    const oneofs: string[] = [];
    for (const key of Object.keys(json)) {
      const field = layout.byName.get(key);
      const at = fieldPath(path, key);
      if (field === undefined) {
        this.reportUnknown(layout, key, at);
        continue;
      }
      const earlier = spelling.get(field);
      if (earlier !== undefined)
        this.report('WEFT0106', at, `is given twice, as ${earlier} and as ${key}; keep one of them`);
      spelling.set(field, key);
      const value = json[key];
      if (isUnset(field, value)) continue;
      if (field.oneof >= 0) this.checkOneof(oneofs, field, key, at);
      const read = this.readField(field, value, at, depth);
      if (read !== undefined && (field.hasPresence || !isDefaultValue(field, read))) message[field.name] = read;
    }
    return message;
  }

  private reportUnknown(layout: MessageLayout, key: string, at: string): void {
    const near = nearestName(
      key,
      layout.fields.map((field) => (key.includes('_') ? field.originalName : field.name)),
    );
    const known = layout.fields.map((field) => field.originalName);
    const advice =
      near !== null ? `did you mean ${near}?` : known.length === 0 ? 'remove it' : `its fields are ${known.join(', ')}`;
    this.report('WEFT0101', at, `is no field of ${layout.name}; ${advice}`);
  }

  private checkOneof(seen: string[], field: FieldLayout, key: string, at: string): void {
    const earlier = seen[field.oneof];
    if (earlier !== undefined && earlier !== key) {
      this.report(
        'WEFT0105',
        at,
        `cannot be set together with ${earlier}: at most one of the two may be given; remove one`,
      );
    }
    seen[field.oneof] = key;
  }

  private readField(field: FieldLayout, json: unknown, path: string, depth: number): unknown {
    if (field.mapKey !== null && field.mapValue !== null)
      return this.readMap(field.mapKey, field.mapValue, json, path, depth);
    if (!field.isRepeated) return this.readElement(field, json, path, depth);
    if (!Array.isArray(json))
      return this.report('WEFT0102', path, `needs a list, not ${describe(json)}; begin each entry with "-"`);
    const list: unknown[] = [];
    json.forEach((element: unknown, index) => {
      const read = this.readElement(field, element, indexPath(path, index), depth);
      if (read !== undefined) list.push(read);
    });
    return list.length === 0 ? undefined : list;
  }

  private readElement(field: FieldLayout, json: unknown, path: string, depth: number): unknown {
    if (field.type === T_MESSAGE) return this.readMessage(field.message, json, path, depth + 1);
    return this.readScalar(field, json, path);
  }

  private readScalar(field: FieldLayout, json: unknown, path: string): unknown {
    const value = scalarFromJson(field, json);
    return value instanceof Misfit ? this.report(value.code, path, value.problem) : value;
  }

  private readMap(mapKey: FieldLayout, mapValue: FieldLayout, json: unknown, path: string, depth: number): unknown {
    if (!isMessageObject(json)) return this.report('WEFT0102', path, `needs an object, not ${describe(json)}`);
    const map: MessageObject = {};
    for (const text of Object.keys(json)) {
      const at = keyPath(path, text);
      const key = mapKeyFromJson(mapKey, text);
      const value = this.readElement(mapValue, json[text], at, depth);
      if (key instanceof Misfit) this.report(key.code, at, key.problem);
      else if (value !== undefined) setKey(map, key, value);
    }
    return Object.keys(map).length === 0 ? undefined : map;
  }

  private readTime(form: 'duration' | 'timestamp', json: unknown, path: string): unknown {
    const example = form === 'duration' ? 'such as 1.5s' : 'such as 2026-01-31T12:00:00Z';
    const value = typeof json !== 'string' ? null : form === 'duration' ? parseDuration(json) : parseTimestamp(json);
    if (value !== null) return value;
    return this.report('WEFT0110', path, `needs a ${form} ${example}, not ${describe(json)}`);
  }

  private readMask(json: unknown, path: string): unknown {
    if (typeof json !== 'string')
      return this.report('WEFT0102', path, `needs field names with commas between, not ${describe(json)}`);
    if (json === '') return {};
    return { paths: json.split(',').map((part) => part.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)) };
  }

  /** google.protobuf.Value: copied, so that what a Struct cannot hold is found here and not when encoding. */
  private readPlain(json: unknown, path: string, depth: number): unknown {
    if (depth >= depthLimit) {
      return this.report('WEFT0109', path, `is nested more than ${depthLimit} levels deep; flatten the configuration`);
    }
    if (json === null || typeof json === 'string' || typeof json === 'boolean') return json;
    if (typeof json === 'number' && Number.isFinite(json)) return json;
    if (Array.isArray(json)) {
      return json.map((element: unknown, index) => this.readPlain(element, indexPath(path, index), depth + 1) ?? null);
    }
    if (!isMessageObject(json))
      return this.report('WEFT0102', path, `${describe(json)} is no JSON value; write it as a string`);
    const copy: MessageObject = {};
    for (const key of Object.keys(json)) {
      const value = this.readPlain(json[key], fieldPath(path, key), depth + 1);
      if (value !== undefined) setKey(copy, key, value);
    }
    return copy;
  }

  /** The message inside is encoded at once: an Any is its type's name and bytes, wherever it comes from. */
  private readAny(json: unknown, path: string, depth: number): unknown {
    if (!isMessageObject(json))
      return this.report('WEFT0102', path, `needs an object with "@type", not ${describe(json)}`);
    const typeUrl = json['@type'];
    if (typeof typeUrl !== 'string') {
      return this.report(
        'WEFT0108',
        path,
        'has no "@type"; add one, such as "@type": type.googleapis.com/envoy.\u2026',
      );
    }
    const layout = findLayout(typeUrl.slice(typeUrl.lastIndexOf('/') + 1));
    if (layout === null || !typeUrl.includes('/')) {
      const advice = typeUrl.includes('/')
        ? 'check its spelling, or remove the extension'
        : 'begin it with type.googleapis.com/';
      return this.report(
        'WEFT0107',
        fieldPath(path, '@type'),
        `${JSON.stringify(typeUrl)} is no type that Weft knows; ${advice}`,
      );
    }
    const { '@type': _type, ...rest } = json;
    const message = this.readInsideAny(layout, rest, path, depth + 1);
    if (message === undefined) return undefined;
    try {
      return { typeUrl, value: encodeLayout(layout, message) };
    } catch (thrown) {
      if (!(thrown instanceof ProtobufError)) throw thrown;
      return this.report('WEFT0100', path, thrown.message);
    }
  }

  private readInsideAny(layout: MessageLayout, rest: MessageObject, path: string, depth: number): unknown {
    if (!isSingleValueForm(layout)) return this.readMessage(layout, rest, path, depth);
    for (const key of Object.keys(rest)) {
      if (key !== 'value')
        this.report('WEFT0101', fieldPath(path, key), `does not belong beside ${layout.name}; only "value" does`);
    }
    return this.readMessage(layout, rest.value, fieldPath(path, 'value'), depth);
  }
}

/** `null` means unset, except where null is a value. */
function isUnset(field: FieldLayout, json: unknown): boolean {
  if (json === undefined) return true;
  if (json !== null) return false;
  if (field.isRepeated || field.mapKey !== null) return true;
  if (field.type === T_MESSAGE) return field.message.form !== 'value';
  return field.type !== T_ENUM || !field.enum.isNull;
}

function isDefaultValue(field: FieldLayout, value: unknown): boolean {
  if (field.isRepeated || field.mapKey !== null) return false;
  if (field.type === T_BYTES) return value instanceof Uint8Array && value.length === 0;
  if (field.type === T_ENUM) return value === 0 || (typeof value === 'string' && field.enum.numbers.get(value) === 0);
  return Object.is(value, defaultOf(field));
}
