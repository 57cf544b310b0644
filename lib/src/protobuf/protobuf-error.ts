// What decoding and encoding throw: the place is named by byte offset and by field path.

/** Malformed protobuf bytes, or a value that does not fit its message. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
  readonly code = 'WEFT0100';
  readonly typeName: string;
  /** Byte offset in the input, or -1 when encoding. */
  readonly offset: number;
  /** Dotted path of original field names, empty at the top. */
  readonly path: string;

  constructor(typeName: string, problem: string, offset: number, path: string) {
    const place = offset < 0 ? '' : ` at byte ${offset}`;
    super(`${typeName}${path === '' ? '' : ` field ${path}`}${place}: ${problem}`);
    this.typeName = typeName;
    this.offset = offset;
    this.path = path;
  }
}

/** Messages inside messages that decoding, encoding and JSON accept; the same as in Google's own implementations. */
export const depthLimit = 100;
