// The messages of gRPC's interoperability tests (package grpc.testing), as far as the cases need them.

import protobuf from 'protobufjs';

const text = `
syntax = "proto3";
package grpc.testing;
message Empty {}
message BoolValue { bool value = 1; }
message Payload { int32 type = 1; bytes body = 2; }
message EchoStatus { int32 code = 1; string message = 2; }
message SimpleRequest {
  int32 response_type = 1; int32 response_size = 2; Payload payload = 3;
  BoolValue response_compressed = 6; EchoStatus response_status = 7; BoolValue expect_compressed = 8;
}
message SimpleResponse { Payload payload = 1; }
message StreamingInputCallRequest { Payload payload = 1; BoolValue expect_compressed = 2; }
message StreamingInputCallResponse { int32 aggregated_payload_size = 1; }
message ResponseParameters { int32 size = 1; int32 interval_us = 2; BoolValue compressed = 3; }
message StreamingOutputCallRequest {
  int32 response_type = 1; repeated ResponseParameters response_parameters = 2; Payload payload = 3; EchoStatus response_status = 7;
}
message StreamingOutputCallResponse { Payload payload = 1; }
`;

const { root } = protobuf.parse(text);

export interface Payload {
  readonly type?: number;
  readonly body?: Buffer;
}

export interface EchoStatus {
  readonly code?: number;
  readonly message?: string;
}

export interface SimpleRequest {
  readonly responseSize?: number;
  readonly payload?: Payload | null;
  readonly responseStatus?: EchoStatus | null;
}

export interface SimpleResponse {
  readonly payload?: Payload | null;
}

export interface StreamingInputCallRequest {
  readonly payload?: Payload | null;
}

export interface StreamingInputCallResponse {
  readonly aggregatedPayloadSize?: number;
}

export interface ResponseParameters {
  readonly size?: number;
  readonly intervalUs?: number;
}

export interface StreamingOutputCallRequest {
  readonly responseParameters?: readonly ResponseParameters[];
  readonly payload?: Payload | null;
  readonly responseStatus?: EchoStatus | null;
}

export interface StreamingOutputCallResponse {
  readonly payload?: Payload | null;
}

/** Both ways of one message. */
export interface Codec<T> {
  readonly encode: (value: T) => Buffer;
  readonly decode: (bytes: Buffer) => T;
}

function codec<T extends object>(name: string): Codec<T> {
  const type = root.lookupType(`grpc.testing.${name}`);
  return {
    encode: (value) => Buffer.from(type.encode(type.fromObject(value)).finish()),
    decode: (bytes) => type.decode(bytes) as unknown as T,
  };
}

export type Empty = Readonly<Record<string, never>>;

export const empty = codec<Empty>('Empty');
export const simpleRequest = codec<SimpleRequest>('SimpleRequest');
export const simpleResponse = codec<SimpleResponse>('SimpleResponse');
export const inputRequest = codec<StreamingInputCallRequest>('StreamingInputCallRequest');
export const inputResponse = codec<StreamingInputCallResponse>('StreamingInputCallResponse');
export const outputRequest = codec<StreamingOutputCallRequest>('StreamingOutputCallRequest');
export const outputResponse = codec<StreamingOutputCallResponse>('StreamingOutputCallResponse');
