// Frames on the wire (RFC 9113 §4.1, §6): types, flags, and the writing of each.
//
//   +-----------------------------------------------+
//   | length (24) | type (8) | flags (8) | R (1) id (31) |
//   +-----------------------------------------------+

import type { ByteWriter } from '@weft/lib/bytes';

export const DATA = 0x0;
export const HEADERS = 0x1;
export const PRIORITY = 0x2;
export const RST_STREAM = 0x3;
export const SETTINGS = 0x4;
export const PUSH_PROMISE = 0x5;
export const PING = 0x6;
export const GOAWAY = 0x7;
export const WINDOW_UPDATE = 0x8;
export const CONTINUATION = 0x9;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const HAS_PRIORITY = 0x20;

export const headBytes = 9;
export const maxWindow = 0x7fffffff;

export const SETTINGS_HEADER_TABLE_SIZE = 0x1;
export const SETTINGS_ENABLE_PUSH = 0x2;
export const SETTINGS_MAX_CONCURRENT_STREAMS = 0x3;
export const SETTINGS_INITIAL_WINDOW_SIZE = 0x4;
export const SETTINGS_MAX_FRAME_SIZE = 0x5;
export const SETTINGS_MAX_HEADER_LIST_SIZE = 0x6;
export const SETTINGS_ENABLE_CONNECT_PROTOCOL = 0x8;

export function writeFrameHead(out: ByteWriter, length: number, type: number, flags: number, id: number): void {
  out.byte(length >>> 16);
  out.byte((length >>> 8) & 255);
  out.byte(length & 255);
  out.byte(type);
  out.byte(flags);
  writeUint32(out, id);
}

function writeUint32(out: ByteWriter, value: number): void {
  out.byte((value >>> 24) & 255);
  out.byte((value >>> 16) & 255);
  out.byte((value >>> 8) & 255);
  out.byte(value & 255);
}

/** `[identifier, value]` pairs. */
export function writeSettings(out: ByteWriter, entries: readonly (readonly [number, number])[]): void {
  writeFrameHead(out, entries.length * 6, SETTINGS, 0, 0);
  for (const [identifier, value] of entries) {
    out.byte(identifier >>> 8);
    out.byte(identifier & 255);
    writeUint32(out, value);
  }
}

export function writeSettingsAck(out: ByteWriter): void {
  writeFrameHead(out, 0, SETTINGS, ACK, 0);
}

/** `data` holds the 8 bytes at `offset`. */
export function writePing(out: ByteWriter, flags: number, data: Buffer, offset: number): void {
  writeFrameHead(out, 8, PING, flags, 0);
  out.append(data, offset, 8);
}

export function writeReset(out: ByteWriter, id: number, code: number): void {
  writeFrameHead(out, 4, RST_STREAM, 0, id);
  writeUint32(out, code);
}

export function writeWindowUpdate(out: ByteWriter, id: number, increment: number): void {
  writeFrameHead(out, 4, WINDOW_UPDATE, 0, id);
  writeUint32(out, increment);
}

export function writeGoAway(out: ByteWriter, lastId: number, code: number): void {
  writeFrameHead(out, 8, GOAWAY, 0, 0);
  writeUint32(out, lastId);
  writeUint32(out, code);
}
