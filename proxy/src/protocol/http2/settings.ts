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
  readonly maxFrameBytes: number;
  /** RFC 8441: extended CONNECT is understood (server). */
  readonly enablesConnectProtocol: boolean;
}

export const defaultSettings: Http2Settings = {
  headerTableSize: 4096,
  maxConcurrentStreams: 100,
  initialWindowBytes: 256 * 1024,
  connectionWindowBytes: 1024 * 1024,
  maxFrameBytes: 16_384,
  enablesConnectProtocol: true,
};

/** Bounds on what a peer may cost. Counts are per second or so: `tick` halves them. */
export interface Http2Limits {
  /** Decoded size of a head or of trailers, as HPACK counts it. */
  readonly maxHeaderListBytes: number;
  readonly maxHeaderCount: number;
  /** Frames of one header block. */
  readonly maxContinuations: number;
  /** Streams reset beyond one in two. */
  readonly maxResets: number;
  readonly maxPings: number;
  readonly maxSettings: number;
  /** DATA and HEADERS without content and without an end. */
  readonly maxEmptyFrames: number;
  readonly maxPriorities: number;
  /** Ticks for the peer's SETTINGS, for a frame (but DATA) and for a header block to be complete. */
  readonly maxSlowTicks: number;
  /** WINDOW_UPDATEs beyond ten for each DATA frame that we sent. */
  readonly maxWindowUpdates: number;
}

export const defaultLimits: Http2Limits = {
  maxHeaderListBytes: 61_440,
  maxHeaderCount: 100,
  maxContinuations: 16,
  maxResets: 200,
  maxPings: 100,
  maxSettings: 50,
  maxEmptyFrames: 100,
  maxPriorities: 1000,
  maxSlowTicks: 10,
  maxWindowUpdates: 1000,
};
