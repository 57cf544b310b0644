// Scalars and enums out of proto3 JSON. A problem is a value, so that a whole document is checked in one go.
import { integerRange } from './encode.ts';
import { held64 } from './integer64.ts';
import { describe } from './message-form.ts';
import { type FieldLayout, T_BOOL, T_BYTES, T_DOUBLE, T_ENUM, T_FLOAT, T_STRING } from './schema.ts';
import { nearestName } from './suggestion.ts';

/** Why a JSON value does not fit. */
export class Misfit {
  readonly code: string;
  readonly problem: string;

  constructor(code: string, problem: string) {
    this.code = code;
    this.problem = problem;
  }
}

const wrongKind = 'WEFT0102';
const outOfRange = 'WEFT0103';
const unknownEnumValue = 'WEFT0104';
const maxFloat = 3.4028234663852886e38;

/** The value in memory, or why there is none. */
export function scalarFromJson(field: FieldLayout, json: unknown): unknown {
  switch (field.type) {
    case T_STRING:
      return stringFromJson(json);
    case T_BOOL:
      return typeof json === 'boolean' ? json : new Misfit(wrongKind, `needs true or false, not ${describe(json)}`);
    case T_BYTES:
      return bytesFromJson(json);
    case T_ENUM:
      return enumFromJson(field, json);
    case T_DOUBLE:
    case T_FLOAT:
      return floatFromJson(field, json);
    default:
      return integerFromJson(field, json);
  }
}

function stringFromJson(json: unknown): unknown {
  if (typeof json === 'string') return json;
  const isPlain = typeof json === 'number' || typeof json === 'boolean' || typeof json === 'bigint';
  return new Misfit(wrongKind, `needs a string, not ${describe(json)}${isPlain ? '; put it in quotes' : ''}`);
}

function enumFromJson(field: FieldLayout, json: unknown): unknown {
  const layout = field.enum;
  if (layout.isNull && (json === null || json === 'NULL_VALUE')) return null;
  if (typeof json === 'number' && json === (json | 0)) return layout.names.get(json) ?? json;
  if (typeof json !== 'string') return new Misfit(wrongKind, `needs a name of ${layout.name}, not ${describe(json)}`);
  if (layout.numbers.has(json)) return json;
  const near = nearestName(json, layout.numbers.keys());
  const choice = near === null ? `one of ${[...layout.numbers.keys()].join(', ')}` : near;
  return new Misfit(unknownEnumValue, `${JSON.stringify(json)} is no value of ${layout.name}; did you mean ${choice}?`);
}

function floatFromJson(field: FieldLayout, json: unknown): unknown {
  const value = typeof json === 'string' ? parseFloatText(json) : json;
  if (typeof value !== 'number') return new Misfit(wrongKind, `needs a number, not ${describe(json)}`);
  if (field.type === T_FLOAT && Number.isFinite(value) && Math.abs(value) > maxFloat) {
    return new Misfit(outOfRange, `${value} does not fit a 32-bit float; use a number up to ${maxFloat}`);
  }
  return value;
}

function parseFloatText(text: string): number | null {
  if (text === 'NaN' || text === 'Infinity' || text === '-Infinity') return Number(text);
  return decimal.test(text) ? Number(text) : null;
}

const decimal = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

function integerFromJson(field: FieldLayout, json: unknown): unknown {
  const value = wholeNumber(json);
  if (value === null) return new Misfit(wrongKind, `needs a whole number, not ${describe(json)}`);
  const [least, greatest] = integerRange(field.type);
  if (value >= least && value <= greatest) return typeof value === 'bigint' ? held64(value) : value + 0;
  return new Misfit(outOfRange, `${value} is out of range; use a whole number from ${least} to ${greatest}`);
}

function wholeNumber(json: unknown): number | bigint | null {
  if (typeof json === 'bigint') return json;
  // A larger number has lost digits already when the text was read.
  if (typeof json === 'number') return Number.isSafeInteger(json) ? json : Number.isInteger(json) ? BigInt(json) : null;
  if (typeof json !== 'string' || !decimal.test(json)) return null;
  if (/^-?\d+$/.test(json)) return BigInt(json);
  const value = Number(json);
  return Number.isSafeInteger(value) ? value : null;
}

/** Standard and URL-safe base64, with or without padding. */
function bytesFromJson(json: unknown): unknown {
  if (json instanceof Uint8Array) return json;
  if (typeof json !== 'string') return new Misfit(wrongKind, `needs base64 text, not ${describe(json)}`);
  const digits = json.replace(/={1,2}$/, '');
  const isPadded = digits.length !== json.length;
  const isWellFormed =
    /^[A-Za-z0-9+/_-]*$/.test(digits) && digits.length % 4 !== 1 && (!isPadded || json.length % 4 === 0);
  if (!isWellFormed) return new Misfit(wrongKind, `${describe(json)} is not base64; encode the bytes as base64 text`);
  return new Uint8Array(Buffer.from(digits, 'base64'));
}

/** A map's key, always text in JSON, as its text in memory. */
export function mapKeyFromJson(field: FieldLayout, key: string): string | Misfit {
  if (field.type === T_STRING) return key;
  if (field.type === T_BOOL) {
    return key === 'true' || key === 'false'
      ? key
      : new Misfit(wrongKind, `the key ${JSON.stringify(key)} must be true or false`);
  }
  const value = /^(0|-?[1-9]\d*)$/.test(key) ? integerFromJson(field, key) : null;
  if (value instanceof Misfit) return value;
  return value === null
    ? new Misfit(wrongKind, `the key ${JSON.stringify(key)} must be a whole number`)
    : String(value);
}
