// Bytes that the codec wrote -> frames, one line each: for the vectors and the tests.

import { ErrorCode } from '../error.ts';
import {
  CONTINUATION,
  DATA,
  GOAWAY,
  HEADERS,
  headBytes,
  PING,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from '../frame/frame.ts';
import { preface } from '../peer-settings.ts';

/** One frame as it stands in the bytes. */
export interface WrittenFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

const names: Readonly<Record<number, string>> = {
  [DATA]: 'DATA',
  [HEADERS]: 'HEADERS',
  [RST_STREAM]: 'RST_STREAM',
  [SETTINGS]: 'SETTINGS',
  [PING]: 'PING',
  [GOAWAY]: 'GOAWAY',
  [WINDOW_UPDATE]: 'WINDOW_UPDATE',
  [CONTINUATION]: 'CONTINUATION',
};

/** Cuts bytes into frames; a client's preface is left out. */
export function parseFrames(bytes: Buffer): WrittenFrame[] {
  const frames: WrittenFrame[] = [];
  let at = bytes.subarray(0, preface.length).equals(preface) ? preface.length : 0;
  while (at < bytes.length) {
    const end = at + headBytes + bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + headBytes, end);
    frames.push({ type: bytes[at + 3] ?? 0, flags: bytes[at + 4] ?? 0, id: bytes.readUInt32BE(at + 5), payload });
    at = end;
  }
  return frames;
}

function codeName(code: number): string {
  return Object.entries(ErrorCode).find(([, value]) => value === code)?.[0] ?? String(code);
}

/** `RST_STREAM 1 CANCEL`, `DATA 1 5 end` ... */
export function frameLine(frame: WrittenFrame): string {
  const { type, flags, id, payload } = frame;
  const name = names[type] ?? `type ${type}`;
  const end = (flags & 1) !== 0;
  switch (type) {
    case RST_STREAM:
      return `${name} ${id} ${codeName(payload.readUInt32BE(0))}`;
    case GOAWAY:
      return `${name} ${payload.readUInt32BE(0)} ${codeName(payload.readUInt32BE(4))}`;
    case WINDOW_UPDATE:
      return `${name} ${id} ${payload.readUInt32BE(0)}`;
    case SETTINGS:
    case PING:
      return end ? `${name} ack` : name;
    default:
      return `${name} ${id} ${payload.length}${end ? ' end' : ''}`;
  }
}

export function frameLines(bytes: Buffer): string[] {
  return parseFrames(bytes).map(frameLine);
}
