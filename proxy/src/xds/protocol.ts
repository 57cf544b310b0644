// The two variants of the protocol behind one interface: what is sent and how a response is read.
import type { envoy } from '@weft/api/xds/types';
import type { ReceivedUpdate } from './received.ts';
import type { ResourceChannel } from './resource-channel.ts';

export type Node = envoy.config.core.v3.Node;

/** A response, before it is checked. */
export interface Response {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly update: ReceivedUpdate;
  /** Name of the server, for people; empty when it does not say. */
  readonly controlPlane: string;
}

/** State of one stream. A new stream gets a new protocol object; what outlives streams is in the channels. */
export interface XdsProtocol {
  /** The next request of that kind: the first on this stream, a change of interest, or null when there is nothing (more) to say. */
  request(channel: ResourceChannel): Uint8Array | null;
  /** The answer to a response; `error` is null for an ACK. Carries changes of interest too. */
  answer(channel: ResourceChannel, response: Response, error: string | null): Uint8Array;
  /** The answer to a response of a kind that was never asked for. */
  refuse(response: Response, error: string): Uint8Array;
  /** Throws ProtobufError. */
  parse(bytes: Uint8Array): Response;
}
