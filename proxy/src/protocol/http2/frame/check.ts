// What each type of frame asks of its length and its stream identifier, before anything else is looked at (RFC 9113 §6).

import { type Http2Error, http2Error } from '../error.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  GOAWAY,
  HEADERS,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frame.ts';

/** The error of a frame that no state allows, else null. PRIORITY's length is its stream's business. */
export function checkFrame(type: number, flags: number, id: number, length: number): Http2Error | null {
  switch (type) {
    case DATA:
    case HEADERS:
    case PRIORITY:
    case CONTINUATION:
      return id === 0 ? http2Error.bad_stream_id : null;
    case RST_STREAM:
      return id === 0 ? http2Error.bad_stream_id : sized(length === 4);
    case SETTINGS:
      return id !== 0 ? http2Error.bad_stream_id : sized((flags & ACK) === 0 ? length % 6 === 0 : length === 0);
    case PUSH_PROMISE:
      return http2Error.push_refused;
    case PING:
      return id !== 0 ? http2Error.bad_stream_id : sized(length === 8);
    case GOAWAY:
      return id !== 0 ? http2Error.bad_stream_id : sized(length >= 8);
    case WINDOW_UPDATE:
      return sized(length === 4);
    default:
      // RFC 9113 §5.5: unknown types are left alone.
      return null;
  }
}

function sized(isRight: boolean): Http2Error | null {
  return isRight ? null : http2Error.bad_frame_size;
}
