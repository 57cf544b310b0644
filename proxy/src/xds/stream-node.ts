// What both variants of the protocol say alike on one stream: who asks, and that an unasked response is refused.
import { grpcInvalidArgument } from './grpc/status.ts';
import type { Node, Response } from './protocol.ts';

/** The node as requests carry it: in each of them, or only in the first of a stream. */
export class StreamNode {
  private readonly node: Node;
  private readonly onlyOnce: boolean;
  private isSent = false;

  constructor(node: Node, onlyOnce: boolean) {
    this.node = node;
    this.onlyOnce = onlyOnce;
  }

  next(): Node | undefined {
    if (this.onlyOnce && this.isSent) return undefined;
    this.isSent = true;
    return this.node;
  }
}

/** `error_detail` of a request; none for an ACK. */
export function errorDetail(error: string | null): { code: number; message: string } | undefined {
  return error === null ? undefined : { code: grpcInvalidArgument, message: error };
}

/** Fields of the answer to a response that belongs to no kind of ours. */
export function refusalFields(response: Response, error: string) {
  return { typeUrl: response.typeUrl, responseNonce: response.nonce, errorDetail: errorDetail(error) };
}
