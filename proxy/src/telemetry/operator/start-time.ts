// `%START_TIME(%Y/%m/%d %H:%M:%S.%3f)%`: strftime in UTC with Envoy's fractions of a second, compiled to a list of getters.

import type { LoggedView } from '../view.ts';
import type { Operator } from './operator.ts';

type Field = (time: Date) => string;

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

function pad(value: number, width: number, fill = '0'): string {
  return String(value).padStart(width, fill);
}

function dayOfYear(time: Date): number {
  const start = Date.UTC(time.getUTCFullYear(), 0, 1);
  return Math.floor((time.getTime() - start) / 86_400_000) + 1;
}

const hour12: Field = (time) => pad(time.getUTCHours() % 12 === 0 ? 12 : time.getUTCHours() % 12, 2);
const date: Field = (time) => time.toISOString().slice(0, 10);
const clock: Field = (time) => time.toISOString().slice(11, 19);

/** One for each of `timeLetters`. */
const fields: Readonly<Record<string, Field>> = {
  Y: (time) => pad(time.getUTCFullYear(), 4),
  y: (time) => pad(time.getUTCFullYear() % 100, 2),
  C: (time) => pad(Math.floor(time.getUTCFullYear() / 100), 2),
  m: (time) => pad(time.getUTCMonth() + 1, 2),
  d: (time) => pad(time.getUTCDate(), 2),
  e: (time) => pad(time.getUTCDate(), 2, ' '),
  j: (time) => pad(dayOfYear(time), 3),
  H: (time) => pad(time.getUTCHours(), 2),
  I: hour12,
  M: (time) => pad(time.getUTCMinutes(), 2),
  S: (time) => pad(time.getUTCSeconds(), 2),
  p: (time) => (time.getUTCHours() < 12 ? 'AM' : 'PM'),
  a: (time) => (days[time.getUTCDay()] as string).slice(0, 3),
  A: (time) => days[time.getUTCDay()] as string,
  b: (time) => (months[time.getUTCMonth()] as string).slice(0, 3),
  h: (time) => (months[time.getUTCMonth()] as string).slice(0, 3),
  B: (time) => months[time.getUTCMonth()] as string,
  u: (time) => String(time.getUTCDay() === 0 ? 7 : time.getUTCDay()),
  w: (time) => String(time.getUTCDay()),
  F: date,
  T: clock,
  R: (time) => clock(time).slice(0, 5),
  D: (time) => `${pad(time.getUTCMonth() + 1, 2)}/${pad(time.getUTCDate(), 2)}/${pad(time.getUTCFullYear() % 100, 2)}`,
  Z: () => 'UTC',
  z: () => '+0000',
  s: (time) => String(Math.floor(time.getTime() / 1000)),
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
};

// `%f` is nanoseconds, `%3f` the first three digits of them. The clock knows milliseconds; the rest is zero.
function fraction(digits: number): Field {
  return (time) => `${pad(time.getUTCMilliseconds(), 3)}000000`.slice(0, digits);
}

// `%E3S`, `%E*S`: seconds with a fraction, as absl's FormatTime writes them.
function secondsWithFraction(digits: number): Field {
  return (time) => `${pad(time.getUTCSeconds(), 2)}.${`${pad(time.getUTCMilliseconds(), 3)}000000`.slice(0, digits)}`;
}

function compileField(specifier: string): Field {
  const part = /^(?:([1-9])?f|E([1-9*])S)$/.exec(specifier);
  if (part === null) return fields[specifier] as Field;
  if (part[2] !== undefined) return secondsWithFraction(part[2] === '*' ? 3 : Number(part[2]));
  return fraction(part[1] === undefined ? 9 : Number(part[1]));
}

let lastMs = -1;
let lastText = '';

// Many exchanges start in the same millisecond.
function isoTime(view: LoggedView): string {
  if (view.startWallMs !== lastMs) {
    lastMs = view.startWallMs;
    lastText = new Date(lastMs).toISOString();
  }
  return lastText;
}

/** Without an argument: `2026-01-01T00:00:00.000Z`. */
export function compileStartTime(argument: string): Operator {
  if (argument === '') return { get: isoTime, isFromPeer: false };
  const parts: (string | Field)[] = [];
  for (const piece of argument.match(/%(?:[1-9]?f|E[1-9*]S|[\s\S])|[^%]+|%$/g) ?? []) {
    if (!piece.startsWith('%')) {
      parts.push(piece);
      continue;
    }
    parts.push(compileField(piece.slice(1)));
  }
  return { get: (view) => formatTime(parts, new Date(view.startWallMs)), isFromPeer: false };
}

function formatTime(parts: readonly (string | Field)[], time: Date): string {
  let text = '';
  for (const part of parts) text += typeof part === 'string' ? part : part(time);
  return text;
}
