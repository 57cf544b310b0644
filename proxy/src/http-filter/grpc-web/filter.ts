// gRPC-Web for browsers (PROTOCOL-WEB of gRPC): the request becomes gRPC, and the trailers of the response its last frame. Bodies stream
// through; text mode is base64 on the way. An answer that is no gRPC becomes a gRPC status, which is all that such a client can read.

import { encodeGrpcMessage, grpcStatusFromHttp, isGrpcType } from '@weft/lib/grpc/header';
import { Headers } from '@weft/lib/header';
import { fault } from '../../fault/fault.ts';
import type { Stream } from '../../stream/stream.ts';
import { CONTINUE, type FilterStatus, type HttpFilter, STOP } from '../filter.ts';
import { Base64Decoder } from './base64.ts';
import { trailerFrame } from './trailer-frame.ts';
import { parseWebType, wantsText, webResponseType } from './web-type.ts';

/** What the filter remembers of a gRPC-Web request. */
interface WebCall {
  readonly isTextResponse: boolean;
  /** Of a text request. */
  readonly decoder: Base64Decoder | null;
}

/** So much of a chunk is recoded at a time; a whole number of quanta. */
const pieceBytes = 48 * 1024;
/** Recoded bytes, borrowed by whoever they are passed to, as any chunk. Base64 of a piece just fits. */
const scratch = Buffer.allocUnsafe(64 * 1024);
const noBytes = Buffer.alloc(0);

/** One gRPC-Web filter of a chain. */
export class GrpcWebFilter implements HttpFilter {
  readonly name: string;
  slot = -1;
  readonly onRequestHead: (stream: Stream, endStream: boolean) => FilterStatus;
  readonly onRequestData: NonNullable<HttpFilter['onRequestData']>;
  readonly onRequestTrailers = null;
  readonly onResponseHead: (stream: Stream, endStream: boolean) => FilterStatus;
  readonly onResponseData: NonNullable<HttpFilter['onResponseData']>;
  readonly onResponseTrailers: (stream: Stream) => FilterStatus;
  readonly onComplete = null;

  constructor(name: string) {
    this.name = name;
    this.onRequestHead = (stream) => this.openCall(stream);
    this.onRequestData = (stream, buffer, offset, length, endStream) =>
      this.decodeData(stream, buffer, offset, length, endStream);
    this.onResponseHead = (stream) => this.turnHead(stream);
    this.onResponseData = (stream, buffer, offset, length, endStream) =>
      this.encodeData(stream, buffer, offset, length, endStream);
    this.onResponseTrailers = (stream) => this.turnTrailers(stream);
  }

  private callOf(stream: Stream): WebCall | undefined {
    return stream.filterState[this.slot] as WebCall | undefined;
  }

  // ---- request

  private openCall(stream: Stream): FilterStatus {
    const headers = stream.requestHeaders;
    const type = parseWebType(headers.get('content-type'));
    if (type === null) return CONTINUE;
    const call: WebCall = {
      isTextResponse: wantsText(headers.get('accept'), type.isText),
      decoder: type.isText ? new Base64Decoder() : null,
    };
    stream.filterState[this.slot] = call;
    headers.set('content-type', `application/grpc${type.format}`);
    headers.set('te', 'trailers');
    if (type.isText) headers.remove('content-length');
    return CONTINUE;
  }

  private decodeData(stream: Stream, buffer: Buffer, offset: number, length: number, endStream: boolean): FilterStatus {
    const decoder = this.callOf(stream)?.decoder ?? null;
    if (decoder === null) return CONTINUE;
    for (let at = 0; at < length; at += pieceBytes) {
      const size = Math.min(pieceBytes, length - at);
      const bytes = decoder.decode(buffer, offset + at, size, scratch);
      const isLast = endStream && at + size === length;
      if (bytes < 0 || (isLast && !decoder.isWhole)) return refuseText(stream);
      if (bytes > 0 || isLast) stream.passRequestData(this.slot, scratch, 0, bytes, isLast);
    }
    if (length > 0 || !endStream) return STOP;
    if (!decoder.isWhole) return refuseText(stream);
    stream.passRequestData(this.slot, noBytes, 0, 0, true);
    return STOP;
  }

  // ---- response

  private turnHead(stream: Stream): FilterStatus {
    const call = this.callOf(stream);
    const headers = stream.responseHeaders;
    if (call === undefined || headers === null) return CONTINUE;
    const type = headers.get('content-type');
    if (type === undefined || !isGrpcType(type) || isBareFailure(stream.status, headers)) {
      // The reply comes through here again, as gRPC.
      stream.reply(200, statusHead(stream.status, type), '', 'grpc_web_no_grpc_response');
      return STOP;
    }
    headers.set('content-type', webResponseType(type, call.isTextResponse));
    headers.remove('content-length');
    headers.remove('trailer');
    return CONTINUE;
  }

  private encodeData(stream: Stream, buffer: Buffer, offset: number, length: number, endStream: boolean): FilterStatus {
    if (this.callOf(stream)?.isTextResponse !== true) return CONTINUE;
    this.passText(stream, buffer, offset, length, endStream);
    return STOP;
  }

  // Each chunk is padded by itself, so that no byte of a message waits for the next one.
  private passText(stream: Stream, buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    for (let at = 0; at < length; at += pieceBytes) {
      const size = Math.min(pieceBytes, length - at);
      const text = buffer.toString('base64', offset + at, offset + at + size);
      const bytes = scratch.write(text, 0, 'latin1');
      stream.passResponseData(this.slot, scratch, 0, bytes, endStream && at + size === length);
    }
    if (length === 0 && endStream) stream.passResponseData(this.slot, noBytes, 0, 0, true);
  }

  private turnTrailers(stream: Stream): FilterStatus {
    const call = this.callOf(stream);
    if (call === undefined || stream.responseTrailers === null) return CONTINUE;
    const frame = trailerFrame(stream.responseTrailers);
    if (call.isTextResponse) this.passText(stream, frame, 0, frame.length, true);
    else stream.passResponseData(this.slot, frame, 0, frame.length, true);
    return STOP;
  }
}

// gRPC says 200 whatever happens; a browser's client that gets another status and no gRPC one has nothing to read.
function isBareFailure(status: number, headers: Headers): boolean {
  return status !== 200 && !headers.has('grpc-status');
}

function refuseText(stream: Stream): FilterStatus {
  stream.fail(fault.downstream_protocol_error, 'grpc_web_bad_base64', 0, 'the body of the request is no base64');
  return STOP;
}

function statusHead(status: number, type: string | undefined): Headers {
  const message = `HTTP status ${status} and content type ${type ?? 'none'} instead of a gRPC response`;
  return Headers.of(
    'content-type',
    'application/grpc',
    'grpc-status',
    String(grpcStatusFromHttp(status)),
    'grpc-message',
    encodeGrpcMessage(message),
  );
}
