// What can be wrong with HTTP/1 bytes: one frozen value per cause, so that an error costs nothing and is compared by identity.

/**
 * How the caller should answer: `bad` 400 (or 502 for a response), `too-large` 431, `missing-host` 400, `version` 426,
 * `coding` 501, `incomplete` the peer closed in the middle of a message.
 */
export type Http1ErrorKind = 'bad' | 'too-large' | 'missing-host' | 'version' | 'coding' | 'incomplete';

/** One cause. `code` is permanent and reaches the access log. */
export interface Http1Error {
  readonly code: string;
  readonly kind: Http1ErrorKind;
  readonly message: string;
}

type Row = readonly [kind: Http1ErrorKind, message: string];

const rows = {
  // Bytes
  bare_cr: ['bad', 'a carriage return that no line feed follows'],
  bare_lf: ['bad', 'a line feed without its carriage return'],
  control_byte: ['bad', 'a control byte in the head or the trailers'],
  head_too_large: ['too-large', 'the start line and headers exceed the limit'],
  trailers_too_large: ['too-large', 'the trailers exceed the limit'],
  too_many_headers: ['too-large', 'more header lines than allowed'],
  incomplete: ['incomplete', 'the connection was closed in the middle of a message'],
  unexpected_bytes: ['bad', 'bytes where no message was asked for'],

  // Start lines
  bad_request_line: ['bad', 'the request line is not `method SP target SP HTTP/1.x`'],
  bad_method: ['bad', 'the method is not a token'],
  bad_version: ['version', 'the version is not HTTP/1.1 or HTTP/1.0'],
  http10_refused: ['version', 'HTTP/1.0 is not accepted here'],
  bad_target: ['bad', 'the request target holds a byte that is not allowed'],
  bad_target_form: ['bad', 'the form of the request target does not suit the method'],
  bad_authority: ['bad', 'the host is not `host` or `host:port`'],
  bad_status_line: ['bad', 'the status line is not `HTTP/1.x SP code SP reason`'],
  too_many_informational: ['bad', 'too many 1xx responses before the final one'],

  // Header lines
  bad_header_name: ['bad', 'a header name is empty or not a token'],
  missing_colon: ['bad', 'a header line without a colon'],
  folded_line: ['bad', 'a header line that begins with white space (obs-fold)'],
  missing_host: ['missing-host', 'an HTTP/1.1 request without Host'],
  several_hosts: ['bad', 'more than one Host header'],
  too_many_connection_options: ['bad', 'Connection has more than 100 options'],
  bad_connection_option: ['bad', 'Connection names a header that may not be removed'],

  // Framing
  bad_content_length: ['bad', 'Content-Length is not one decimal number below 2^53'],
  several_content_lengths: ['bad', 'more than one Content-Length'],
  length_and_encoding: ['bad', 'both Content-Length and Transfer-Encoding'],
  bad_transfer_encoding: ['coding', 'Transfer-Encoding is not exactly `chunked`'],
  encoding_in_http10: ['bad', 'Transfer-Encoding in an HTTP/1.0 message'],
  body_with_connect: ['bad', 'a CONNECT request with a body'],
  bad_chunk_size: ['bad', 'a chunk size is not 1 to 16 hexadecimal digits below 2^53'],
  bad_chunk_extension: ['bad', 'a chunk extension is malformed'],
  chunk_extension_too_large: ['too-large', 'the chunk extensions exceed the limit'],
  bad_chunk_end: ['bad', 'a chunk is not followed by CRLF'],
  bad_trailer_name: ['bad', 'a trailer that decides framing or routing'],
} as const satisfies Record<string, Row>;

export type Http1ErrorCode = keyof typeof rows;

function makeTable(): Readonly<Record<Http1ErrorCode, Http1Error>> {
  const entries = Object.entries(rows).map(([code, [kind, message]]) => [code, Object.freeze({ code, kind, message })]);
  return Object.freeze(Object.fromEntries(entries)) as Readonly<Record<Http1ErrorCode, Http1Error>>;
}

/** `http1Error.bad_chunk_size` ... */
export const http1Error: Readonly<Record<Http1ErrorCode, Http1Error>> = makeTable();
