// One stream of a connection: its state (RFC 9113 §5.1) and its two flow-control windows.
//
//   idle -> open -> half-closed (local: we ended; remote: the peer ended) -> closed

export class Http2Stream {
  readonly id: number;
  /** The codec user's own object for this exchange. */
  user: unknown = null;
  isLocalEnded = false;
  isRemoteEnded = false;
  isClosed = false;
  /** The final head came (client) or went (server). */
  hasHead = false;
  /** 1xx heads that came (client). */
  informationals = 0;
  /** The tick in which it was opened. */
  readonly bornTick: number;
  /** Bytes we may still send. */
  sendWindow: number;
  /** Bytes the peer may still send. */
  receiveWindow: number;
  /** Passed on by the user and not yet given back to the peer. */
  unannounced = 0;
  /** Received, kept by the user, and given back to the connection all the same. */
  heldBytes = 0;
  /** Bytes that content-length promises and that have not come; -1 when it promises nothing. */
  expectedBytes = -1;
  /** `sendData` took less than it was given: the user waits for `onWritable`. */
  isStarved = false;
  /** Its neighbours among those that wait for a window. */
  waitsBehind: Http2Stream | null = null;
  waitsBefore: Http2Stream | null = null;
  /** The response to HEAD has no body whatever its content-length says. */
  isHeadRequest = false;
  /** A tunnel that the peer accepted has no content-length. */
  isConnect = false;

  constructor(id: number, sendWindow: number, receiveWindow: number, bornTick: number) {
    this.id = id;
    this.bornTick = bornTick;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }
}
