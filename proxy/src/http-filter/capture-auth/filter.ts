// Keeps the capture port for its own workload: whoever lacks the credential of the `HTTP_PROXY` address gets 407 and never
// borrows the workload's identity.

import { nodeCrypto } from '@weft/lib/lazy-node';
import type { Counter, Scope } from '@weft/lib/metrics';
import { fault } from '../../fault/fault.ts';
import type { Stream } from '../../stream/stream.ts';
import { CONTINUE, type FilterStatus, type HttpFilter, STOP } from '../filter.ts';

const headerName = 'proxy-authorization';
const basicPattern = /^basic +([A-Za-z0-9+/]+={0,2})$/i;
/** A credential is a few dozen characters; nothing longer is worth hashing. */
const maxLength = 1024;

/** The filter that asks for the credential. */
export class CaptureAuthFilter implements HttpFilter {
  readonly name: string;
  slot = -1;
  readonly onRequestHead: (stream: Stream, endStream: boolean) => FilterStatus;
  readonly onRequestData = null;
  readonly onRequestTrailers = null;
  readonly onResponseHead = null;
  readonly onResponseData = null;
  readonly onResponseTrailers = null;
  readonly onComplete = null;
  private readonly sha256: Buffer;
  private readonly allowed: Counter;
  private readonly denied: Counter;
  /** The header value seen last that was right; clients send the same with every request. */
  private lastGood = '';

  constructor(name: string, sha256: Buffer, scope: Scope) {
    this.name = name;
    this.sha256 = sha256;
    this.allowed = scope.counter('capture_auth.allowed');
    this.denied = scope.counter('capture_auth.denied');
    this.onRequestHead = (stream) => this.check(stream);
  }

  private check(stream: Stream): FilterStatus {
    const values = stream.requestHeaders.getAll(headerName);
    const [value] = values;
    if (value === undefined || values.length > 1 || !this.isRight(value)) {
      this.denied.inc();
      // The local reply of this fault carries the challenge (RFC 9110 §11.7.1).
      stream.fail(fault.capture_unauthenticated, 'capture_credential_wrong_or_missing');
      return STOP;
    }
    this.allowed.inc();
    // It is between the workload and this proxy; no upstream may see it.
    stream.requestHeaders.remove(headerName);
    return CONTINUE;
  }

  private isRight(value: string): boolean {
    if (value.length > maxLength) return false;
    if (value.length === this.lastGood.length && isSameText(value, this.lastGood)) return true;
    const encoded = basicPattern.exec(value)?.[1];
    if (encoded === undefined) return false;
    const pair = Buffer.from(encoded, 'base64');
    const colon = pair.indexOf(0x3a);
    if (colon < 0) return false;
    const { hash, timingSafeEqual } = nodeCrypto();
    const digest = hash('sha256', pair.subarray(colon + 1), 'buffer');
    if (!timingSafeEqual(digest, this.sha256)) return false;
    this.lastGood = value;
    return true;
  }
}

function isSameText(a: string, b: string): boolean {
  return nodeCrypto().timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));
}
