// What an HTTP/2 connection counts for its user's statistics; whoever does not care leaves it out.

interface Count {
  value: number;
}

export interface Http2Tally {
  readonly rxReset: Count;
  readonly txReset: Count;
  readonly rxMessagingError: Count;
  readonly headerOverflow: Count;
  readonly streamRefused: Count;
  readonly trailers: Count;
  readonly goAwaySent: Count;
}

const nowhere: Count = { value: 0 };

/** Counts for nobody. */
export const noTally: Http2Tally = {
  rxReset: nowhere,
  txReset: nowhere,
  rxMessagingError: nowhere,
  headerOverflow: nowhere,
  streamRefused: nowhere,
  trailers: nowhere,
  goAwaySent: nowhere,
};
