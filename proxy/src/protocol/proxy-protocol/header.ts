// The values of the PROXY protocol: who a connection is carried for, as the first bytes on it tell (version 1 is text, version 2 binary).

/** An end of the connection that is carried. */
export interface ProxyEnd {
  /** An IP address in its usual text. */
  readonly address: string;
  readonly port: number;
}

/** One type-length-value of version 2. */
export interface ProxyTlv {
  readonly type: number;
  readonly value: Buffer;
}

export type ProxyVersion = 1 | 2;

export interface ProxyHeader {
  readonly version: ProxyVersion;
  /** Null where the sender tells none: `UNKNOWN`, `LOCAL`, an unspecified family, a Unix socket. The connection's own ends hold then. */
  readonly ends: { readonly source: ProxyEnd; readonly destination: ProxyEnd } | null;
  /** Version 2 only; the checksum and the padding are not among them. */
  readonly tlvs: readonly ProxyTlv[];
}

/** A header and how many bytes it took. */
export interface DecodedHeader {
  readonly header: ProxyHeader;
  readonly length: number;
}

/** Why the bytes are no header though they begin as one. */
export interface MalformedHeader {
  readonly version: ProxyVersion;
  readonly problem: string;
}

export const noTlvs: readonly ProxyTlv[] = [];

export const TLV_CRC32C = 0x03;
export const TLV_NOOP = 0x04;

export const v1Signature = Buffer.from('PROXY ', 'latin1');
export const v2Signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** Of version 1, with its line end. */
export const maxV1Bytes = 107;
/** Of version 2, in front of the addresses. */
export const v2PrefixBytes = 16;
/** No header is longer. */
export const maxHeaderBytes = v2PrefixBytes + 0xffff;
