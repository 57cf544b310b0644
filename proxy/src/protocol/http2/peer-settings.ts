// SETTINGS both ways (RFC 9113 §6.5): what the peer wants of us, and what we tell it.

import type { ByteWriter } from '@weft/lib/bytes';
import { type Http2Error, http2Error } from './error.ts';
import {
  maxWindow,
  SETTINGS_ENABLE_CONNECT_PROTOCOL,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
  SETTINGS_MAX_FRAME_SIZE,
  SETTINGS_MAX_HEADER_LIST_SIZE,
  writeSettings,
} from './frame/frame.ts';
import type { Http2Settings } from './settings.ts';

/** What a client sends first. */
export const preface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Until a peer has said how many streams it takes: no more than most do. */
export const assumedStreams = 100;

/** The peer's settings, with the protocol's defaults until it says otherwise. */
export class PeerSettings {
  headerTableSize = 4096;
  maxConcurrentStreams = assumedStreams;
  initialWindow = 65_535;
  maxFrameBytes = 16_384;
  maxHeaderListBytes = Number.POSITIVE_INFINITY;
  enablesConnectProtocol = false;

  /** Before the peer's first SETTINGS are read: what they leave out has no limit. */
  begin(): void {
    this.maxConcurrentStreams = maxWindow;
  }

  /** Takes over a SETTINGS payload. */
  read(payload: Buffer, start: number, end: number, role: 'server' | 'client'): Http2Error | null {
    for (let at = start; at < end; at += 6) {
      const error = this.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2), role);
      if (error !== null) return error;
    }
    return null;
  }

  private set(identifier: number, value: number, role: 'server' | 'client'): Http2Error | null {
    switch (identifier) {
      case SETTINGS_HEADER_TABLE_SIZE:
        this.headerTableSize = value;
        return null;
      case SETTINGS_ENABLE_PUSH:
        // Only a client may say that it takes pushes; we never push.
        return value > 1 || (role === 'client' && value === 1) ? http2Error.bad_setting : null;
      case SETTINGS_MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value;
        return null;
      case SETTINGS_INITIAL_WINDOW_SIZE:
        if (value > maxWindow) return http2Error.bad_window_setting;
        this.initialWindow = value;
        return null;
      case SETTINGS_MAX_FRAME_SIZE:
        if (value < 16_384 || value > 16_777_215) return http2Error.bad_setting;
        this.maxFrameBytes = value;
        return null;
      case SETTINGS_MAX_HEADER_LIST_SIZE:
        this.maxHeaderListBytes = value;
        return null;
      case SETTINGS_ENABLE_CONNECT_PROTOCOL:
        if (value > 1) return http2Error.bad_setting;
        this.enablesConnectProtocol = value === 1;
        return null;
      default:
        return null;
    }
  }
}

/** Writes what we announce; defaults are left out. */
export function writeOwnSettings(
  out: ByteWriter,
  role: 'server' | 'client',
  settings: Http2Settings,
  maxHeaderListBytes: number,
): void {
  const entries: [number, number][] = [];
  if (settings.headerTableSize !== 4096) entries.push([SETTINGS_HEADER_TABLE_SIZE, settings.headerTableSize]);
  if (role === 'client') entries.push([SETTINGS_ENABLE_PUSH, 0]);
  else entries.push([SETTINGS_MAX_CONCURRENT_STREAMS, settings.maxConcurrentStreams]);
  entries.push([SETTINGS_INITIAL_WINDOW_SIZE, settings.initialWindowBytes]);
  if (settings.maxFrameBytes !== 16_384) entries.push([SETTINGS_MAX_FRAME_SIZE, settings.maxFrameBytes]);
  entries.push([SETTINGS_MAX_HEADER_LIST_SIZE, maxHeaderListBytes]);
  if (role === 'server' && settings.enablesConnectProtocol) entries.push([SETTINGS_ENABLE_CONNECT_PROTOCOL, 1]);
  writeSettings(out, entries);
}
