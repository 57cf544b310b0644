// Google's well-known types between their fields and what they are in memory: wrappers are their value, Struct is plain JSON, Any is lazy.
import { type FieldLayout, type MessageLayout, T_BOOL, T_BYTES, T_STRING } from './schema.ts';
import type { MessageObject } from './unknown-fields.ts';

/** What a folded or unfolded message turned out to be unfit for. */
export class FormError extends Error {
  override readonly name = 'FormError';
}

/** Largest seconds of a Duration: about 10,000 years either way. */
export const maxDurationSeconds = 315576000000;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
export const minTimestampSeconds = -62135596800;
export const maxTimestampSeconds = 253402300799;

/** The value in memory of a decoded message. */
export function foldForm(layout: MessageLayout, message: MessageObject): unknown {
  switch (layout.form) {
    case 'fields':
    case 'mask':
      return message;
    case 'wrapper':
      return message.value ?? defaultOf(layout.fields[0] as FieldLayout);
    case 'struct':
      return message.fields ?? {};
    case 'list':
      return message.values ?? [];
    case 'value':
      return foldValue(message);
    case 'any':
      return { typeUrl: message.typeUrl ?? '', value: message.value ?? new Uint8Array(0) };
    case 'duration':
      checkDuration(message);
      return message;
    case 'timestamp':
      checkTimestamp(message);
      return message;
  }
}

/** The zero value of a scalar or enum field. */
export function defaultOf(field: FieldLayout): unknown {
  if (field.type === T_STRING) return '';
  if (field.type === T_BOOL) return false;
  if (field.type === T_BYTES) return new Uint8Array(0);
  return 0;
}

function foldValue(message: MessageObject): unknown {
  for (const name of ['numberValue', 'stringValue', 'boolValue', 'structValue', 'listValue']) {
    if (message[name] !== undefined) return message[name];
  }
  return null;
}

/** The fields to encode of a value in memory. */
export function unfoldForm(layout: MessageLayout, value: unknown): MessageObject {
  switch (layout.form) {
    case 'wrapper':
      return { value };
    case 'struct':
      return { fields: expectObject(value) };
    case 'list':
      if (!Array.isArray(value)) throw new FormError(`a list is needed, not ${describe(value)}`);
      return { values: value };
    case 'value':
      return unfoldValue(value);
    case 'duration':
      return checkDuration(expectObject(value));
    case 'timestamp':
      return checkTimestamp(expectObject(value));
    default:
      return expectObject(value);
  }
}

function unfoldValue(value: unknown): MessageObject {
  if (value === null) return { nullValue: null };
  if (typeof value === 'number') return { numberValue: value };
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (Array.isArray(value)) return { listValue: value };
  return { structValue: expectObject(value) };
}

function expectObject(value: unknown): MessageObject {
  if (!isMessageObject(value)) throw new FormError(`an object is needed, not ${describe(value)}`);
  return value;
}

/** Whether a value can be looked at field by field. */
export function isMessageObject(value: unknown): value is MessageObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** Seconds and nanos of a Duration, in range and of one sign. */
export function checkDuration(message: MessageObject): MessageObject {
  const { seconds, nanos } = secondsAndNanos(message);
  const isInRange = Math.abs(seconds) <= maxDurationSeconds && Math.abs(nanos) <= 999999999;
  if (!isInRange || seconds * nanos < 0)
    throw new FormError(`a duration of ${seconds} s and ${nanos} ns is out of range`);
  return message;
}

/** Seconds and nanos of a Timestamp, between the years 1 and 9999. */
export function checkTimestamp(message: MessageObject): MessageObject {
  const { seconds, nanos } = secondsAndNanos(message);
  const isInRange =
    seconds >= minTimestampSeconds && seconds <= maxTimestampSeconds && nanos >= 0 && nanos <= 999999999;
  if (!isInRange) throw new FormError(`a timestamp of ${seconds} s and ${nanos} ns is out of range`);
  return message;
}

/** The two numbers, 0 where unset. */
export function secondsAndNanos(message: MessageObject): { seconds: number; nanos: number } {
  return { seconds: Number(message.seconds ?? 0), nanos: Number(message.nanos ?? 0) };
}

/** A value's kind for an error message. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (value instanceof Uint8Array) return 'bytes';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return `the string ${JSON.stringify(shorten(value))}`;
  if (typeof value === 'number' || typeof value === 'bigint') return `the number ${value}`;
  return value === undefined ? 'nothing' : `the ${typeof value} ${String(value)}`;
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
