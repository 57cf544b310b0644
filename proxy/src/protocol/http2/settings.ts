// Settings and limits of a connection, with defaults that are safe without tuning.

/** What we announce (RFC 9113 §6.5.2). */
export interface Http2Settings {
  readonly headerTableSize: number;
  /** Streams the peer may have open at a time. */
  readonly maxConcurrentStreams: number;
  /** What each stream may send before we say more. */
  readonly initialWindowBytes: number;
  /** The same for the connection as a whole. */
  readonly connectionWindowBytes: number;
  /** What users of its streams hold back does not count against that window, within the bound for all connections. */
  readonly holdsBeyondWindow: boolean;
  readonly maxFrameBytes: number;
  /** RFC 8441: extended CONNECT is understood (server). */
  readonly enablesConnectProtocol: boolean;
}

export const defaultSettings: Http2Settings = {
  headerTableSize: 4096,
  maxConcurrentStreams: 100,
  initialWindowBytes: 256 * 1024,
  connectionWindowBytes: 1024 * 1024,
  holdsBeyondWindow: true,
  maxFrameBytes: 16_384,
  enablesConnectProtocol: true,
};

/** Bounds on what a peer may cost. Counts are per second or so, halved by `tick`, unless they say otherwise. */
export interface Http2Limits {
  /** Decoded size of a head or of trailers, as HPACK counts it. */
  readonly maxHeaderListBytes: number;
  readonly maxHeaderCount: number;
  /** Frames of one header block. */
  readonly maxContinuations: number;
  /** Streams reset before they were answered, beyond one in two. */
  readonly maxResets: number;
  /** Ticks after which a stream may be reset without being counted. */
  readonly prematureTicks: number;
  /** PINGs beyond one for each DATA frame that we sent. */
  readonly maxPings: number;
  readonly maxSettings: number;
  /** Frames that keep us busy without moving an exchange on. */
  readonly maxEmptyFrames: number;
  /** DATA, HEADERS and CONTINUATION in a row without content and without an end. */
  readonly maxConsecutiveEmptyFrames: number;
  /** PRIORITY frames for each stream opened so far, and for one more. */
  readonly maxPrioritiesPerStream: number;
  /** Ticks for the peer's SETTINGS, for a frame (but DATA) and for a header block to be complete. */
  readonly maxSlowTicks: number;
  /** WINDOW_UPDATEs for each DATA frame that we sent so far. */
  readonly maxWindowUpdatesPerData: number;
  /** Frames that wait for a peer that does not read, and those among them that answer its own: acknowledgements and resets. */
  readonly maxOutboundFrames: number;
  readonly maxOutboundControlFrames: number;
  /** A malformed message ends its connection, not only its stream. */
  readonly closesOnMalformed: boolean;
}

export const defaultLimits: Http2Limits = {
  maxHeaderListBytes: 61_440,
  maxHeaderCount: 100,
  maxContinuations: 16,
  maxResets: 125,
  prematureTicks: 1,
  maxPings: 100,
  maxSettings: 50,
  maxEmptyFrames: 100,
  maxConsecutiveEmptyFrames: 1,
  maxPrioritiesPerStream: 100,
  maxSlowTicks: 15,
  maxWindowUpdatesPerData: 10,
  maxOutboundFrames: 10_000,
  maxOutboundControlFrames: 1000,
  closesOnMalformed: false,
};
