// One case of the corpus: what a client sends, what the upstream answers, and which listener is between them.

/** Which rules the listener has: see bootstrap.ts. */
export type ListenerKind = 'plain' | 'edge' | 'tunnel';
export type HttpVersion = 'http1' | 'http2';

export const listenerKinds: readonly ListenerKind[] = ['plain', 'edge', 'tunnel'];
export const httpVersions: readonly HttpVersion[] = ['http1', 'http2'];

export interface Case {
  /** `theme: heading` or `theme: heading: variation`; permanent, since differences are kept by it. */
  readonly name: string;
  /** The client's own address, by which the access log tells the cases apart. */
  readonly address: string;
  readonly kind: ListenerKind;
  /** What the client speaks. */
  readonly downstream: HttpVersion;
  /** What the upstream speaks. */
  readonly upstream: HttpVersion;
  readonly input: Buffer;
  /** The client says behind the last byte that no more comes. */
  readonly eof: boolean;
  /** What the upstream sends in place of its usual answer, `ID` in a script being the stream. */
  readonly answer: Buffer | string | null;
  /** The upstream closes behind it. */
  readonly answerCloses: boolean;
}

/** As it is read; the address is given when all are there. */
export type CaseWithoutAddress = Omit<Case, 'address'>;
