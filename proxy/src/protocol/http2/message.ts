// Heads as HTTP/2 carries them.

import type { HeaderBlock, Headers } from '@weft/lib/header';

/** A decoded, validated request head. Shared between equal requests, so it never changes. */
export interface H2RequestHead {
  readonly method: string;
  /** HTTP/2, where HTTP/1 heads have their minor version. */
  readonly minor: 2;
  /** Empty for a plain CONNECT. */
  readonly path: string;
  readonly authority: string;
  /** Lower case; empty for a plain CONNECT. */
  readonly scheme: string;
  /** `:protocol` of an extended CONNECT (RFC 8441), else null. */
  readonly protocol: string | null;
  /** The regular fields, `host` left out. */
  readonly block: HeaderBlock;
  /** -1 when there is none. */
  readonly contentLength: number;
  /** More header fields than allowed: answer 431. The other parts are empty then. */
  readonly tooLarge: boolean;
}

/** A decoded response head. */
export interface H2ResponseHead {
  readonly status: number;
  readonly block: HeaderBlock;
  readonly contentLength: number;
}

/** A request head to send. */
export interface H2OutgoingHead {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly protocol: string | null;
  readonly headers: Headers;
}
