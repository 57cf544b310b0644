// The decoding side of the codec, in one place for its users.

export { type Http1Error, type Http1ErrorKind, http1Error } from './error.ts';
export { defaultHttp1Limits, type Http1Limits } from './message-decoder.ts';
export { factsOf, MessageFacts } from './message-facts.ts';
export { RequestDecoder, RequestHead, type RequestSink } from './request-decoder.ts';
export { ResponseDecoder, type ResponseSink } from './response-decoder.ts';
export { ResponseHead, ResponseHeads } from './response-head.ts';
