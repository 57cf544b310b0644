// Frames as lines of text -> bytes: for the vectors, the fuzzer and the tests. See testdata/README.md for the language.

import { assert } from '@weft/lib/assert';
import { ByteWriter } from '@weft/lib/bytes';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  HAS_PRIORITY,
  HEADERS,
  PADDED,
  PING,
  PRIORITY,
  writeFrameHead,
  writeGoAway,
  writeReset,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
} from '../frame/frame.ts';
import { preface } from '../peer-settings.ts';

const shorthands: Readonly<Record<string, readonly string[]>> = {
  get: [':method: GET', ':scheme: http', ':path: /', ':authority: a'],
  post: [':method: POST', ':scheme: http', ':path: /', ':authority: a'],
  ok: [':status: 200'],
};

/** A block of literals without indexing and without Huffman. */
function literals(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (const field of fields.flatMap((one) => shorthands[one] ?? [one])) {
    const colon = field.indexOf(':', 1);
    const name = field.slice(0, colon);
    const value = JSON.parse(`"${field.slice(colon + 1).trim()}"`) as string;
    parts.push(Buffer.from([0]), text(name), text(value));
  }
  return Buffer.concat(parts);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

function writeFrame(out: ByteWriter, type: number, flags: number, id: number, payload: Buffer): void {
  writeFrameHead(out, payload.length, type, flags, id);
  out.append(payload, 0, payload.length);
}

interface Words {
  readonly id: number;
  readonly words: readonly string[];
  readonly rest: readonly string[];
}

// HEADERS, CONTINUATION and DATA: words are flags and options, what follows a bar is content.
function writeMessageFrame(out: ByteWriter, type: number, line: Words): void {
  const { id, words, rest } = line;
  const option = (name: string) => words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const pad = option('pad');
  const weight = option('depends');
  let content = type === DATA ? Buffer.from(rest.join('|')) : literals(rest);
  const hex = option('hex');
  if (hex !== undefined) content = Buffer.from(hex, 'hex');
  const size = option('size');
  if (size !== undefined) content = Buffer.alloc(Number(size), 'x');
  let flags = words.includes('end') ? END_STREAM : 0;
  if (type !== DATA && !words.includes('open')) flags |= END_HEADERS;
  const before: number[] = [];
  if (pad !== undefined) before.push(Number(pad));
  if (weight !== undefined) before.push(0, 0, 0, Number(weight), 16);
  if (pad !== undefined) flags |= PADDED;
  if (weight !== undefined) flags |= HAS_PRIORITY;
  const padding = Buffer.alloc(words.includes('unpadded') ? 0 : Number(pad ?? 0));
  writeFrame(out, type, flags, id, Buffer.concat([Buffer.from(before), content, padding]));
}

function pairs(words: readonly string[]): (readonly [number, number])[] {
  return words.map((word) => word.split('=').map(Number) as [number, number]);
}

function writeLine(out: ByteWriter, line: string): void {
  const [head = '', ...rest] = line.split('|').map((part) => part.trim());
  const [name = '', ...words] = head.split(/\s+/);
  const id = Number(words[0] ?? 0);
  const message = { id, words: words.slice(1), rest };
  const [first = '0', second = '0'] = words;
  switch (name) {
    case 'preface':
      out.append(preface, 0, preface.length);
      break;
    case 'settings':
      words[0] === 'ack' ? writeSettingsAck(out) : writeSettings(out, pairs(words));
      break;
    case 'headers':
      writeMessageFrame(out, HEADERS, message);
      break;
    case 'continuation':
      writeMessageFrame(out, CONTINUATION, message);
      break;
    case 'data':
      writeMessageFrame(out, DATA, message);
      break;
    case 'priority':
      writeFrame(out, PRIORITY, 0, id, Buffer.from([0, 0, 0, Number(second), 16]));
      break;
    case 'reset':
      writeReset(out, id, Number(second));
      break;
    case 'ping':
      writeFrame(out, PING, first === 'ack' ? ACK : 0, 0, Buffer.from('weftping'));
      break;
    case 'goaway':
      writeGoAway(out, id, Number(second));
      break;
    case 'window':
      writeWindowUpdate(out, id, Number(second));
      break;
    case 'frame':
      writeFrame(out, id, Number(second), Number(words[2] ?? 0), Buffer.from(words[3] ?? '', 'hex'));
      break;
    case 'bytes':
      out.latin1(JSON.parse(`"${rest.join('|')}"`) as string);
      break;
    default:
      assert(false, `no such frame: ${line}`);
  }
}

/** The bytes of a script; `N x LINE` repeats a line, `$` in it being 1, 3, 5 ... */
export function framesOf(script: string): Buffer {
  const out = new ByteWriter(1024);
  for (const line of script.split('\n').filter((one) => one.trim() !== '')) {
    const [, times = '1', rest = line] = /^(\d+) x (.*)$/.exec(line) ?? [];
    for (let i = 0; i < Number(times); i++) writeLine(out, rest.replaceAll('$', String(2 * i + 1)));
  }
  return out.take();
}
