// What can be wrong with HTTP/2: the protocol's error codes (RFC 9113 §7) and one frozen value per cause.

/** Error codes on the wire. */
export const ErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;

/** One cause; compared by identity. `code` is permanent, `wire` is what the peer is told. */
export interface Http2Error {
  readonly code: string;
  readonly wire: number;
  readonly message: string;
}

type Row = readonly [wire: number, message: string];

const rows = {
  bad_preface: [ErrorCode.PROTOCOL_ERROR, 'the connection does not begin with the client preface'],
  settings_first: [ErrorCode.PROTOCOL_ERROR, 'the first frame is not SETTINGS'],
  frame_too_large: [ErrorCode.FRAME_SIZE_ERROR, 'a frame is larger than announced as acceptable'],
  bad_frame_size: [ErrorCode.FRAME_SIZE_ERROR, 'a frame has a length that its type does not allow'],
  bad_stream_id: [ErrorCode.PROTOCOL_ERROR, 'a frame is on a stream identifier that its type does not allow'],
  bad_padding: [ErrorCode.PROTOCOL_ERROR, 'the padding is as long as the frame or longer'],
  expected_continuation: [ErrorCode.PROTOCOL_ERROR, 'a header block was interrupted by another frame'],
  unexpected_continuation: [ErrorCode.PROTOCOL_ERROR, 'CONTINUATION without a header block'],
  idle_stream: [ErrorCode.PROTOCOL_ERROR, 'a frame is on a stream that was never opened'],
  closed_stream: [ErrorCode.STREAM_CLOSED, 'a frame is on a stream that is closed'],
  half_closed_stream: [ErrorCode.STREAM_CLOSED, 'a frame follows the end of its stream'],
  push_refused: [ErrorCode.PROTOCOL_ERROR, 'PUSH_PROMISE is not accepted'],
  bad_setting: [ErrorCode.PROTOCOL_ERROR, 'a setting has a value that is not allowed'],
  bad_window_setting: [ErrorCode.FLOW_CONTROL_ERROR, 'the initial window is larger than 2^31-1'],
  window_overflow: [ErrorCode.FLOW_CONTROL_ERROR, 'a flow-control window grew past 2^31-1'],
  window_exceeded: [ErrorCode.FLOW_CONTROL_ERROR, 'more data than the flow-control window allows'],
  zero_increment: [ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE by zero'],
  compression: [ErrorCode.COMPRESSION_ERROR, 'the header block cannot be decompressed'],
  self_dependency: [ErrorCode.PROTOCOL_ERROR, 'a stream depends on itself'],
  malformed_head: [ErrorCode.PROTOCOL_ERROR, 'the header fields are malformed'],
  head_too_large: [ErrorCode.PROTOCOL_ERROR, 'the header fields exceed the limit'],
  length_mismatch: [ErrorCode.PROTOCOL_ERROR, 'the content-length does not match the data'],
  too_many_informational: [ErrorCode.ENHANCE_YOUR_CALM, 'too many 1xx responses before the final one'],
  trailers_without_end: [ErrorCode.PROTOCOL_ERROR, 'trailers that do not end the stream'],
  too_many_streams: [ErrorCode.REFUSED_STREAM, 'more streams than announced as acceptable'],
  header_block_flood: [ErrorCode.ENHANCE_YOUR_CALM, 'a header block of too many bytes or frames'],
  reset_flood: [ErrorCode.ENHANCE_YOUR_CALM, 'too many streams reset in a short time'],
  ping_flood: [ErrorCode.ENHANCE_YOUR_CALM, 'too many PING frames in a short time'],
  settings_flood: [ErrorCode.ENHANCE_YOUR_CALM, 'too many SETTINGS frames in a short time'],
  empty_frame_flood: [ErrorCode.ENHANCE_YOUR_CALM, 'too many empty frames'],
  priority_flood: [ErrorCode.ENHANCE_YOUR_CALM, 'too many PRIORITY frames'],
  slow_frame: [ErrorCode.ENHANCE_YOUR_CALM, 'a frame or a header block was not finished in time'],
  slow_settings: [ErrorCode.SETTINGS_TIMEOUT, 'the peer did not send its SETTINGS in time'],
  window_update_flood: [ErrorCode.ENHANCE_YOUR_CALM, 'too many WINDOW_UPDATE frames'],
  outbound_flood: [ErrorCode.ENHANCE_YOUR_CALM, 'too many frames wait for a peer that does not read'],
  outbound_control_flood: [ErrorCode.ENHANCE_YOUR_CALM, 'too many answers wait for a peer that does not read'],
} as const satisfies Record<string, Row>;

export type Http2ErrorCode = keyof typeof rows;

function makeTable(): Readonly<Record<Http2ErrorCode, Http2Error>> {
  const entries = Object.entries(rows).map(([code, [wire, message]]) => [code, Object.freeze({ code, wire, message })]);
  return Object.freeze(Object.fromEntries(entries)) as Readonly<Record<Http2ErrorCode, Http2Error>>;
}

/** `http2Error.bad_preface` ... */
export const http2Error: Readonly<Record<Http2ErrorCode, Http2Error>> = makeTable();
