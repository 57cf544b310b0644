// The first bytes of one connection: collected until they tell all that its listener wants to know before it chooses a filter chain.

import type { ConnectionInfo } from '../io/connection-info.ts';
import { maxHeaderBytes } from '../protocol/proxy-protocol/header.ts';
import { type Inspected, type InspectionPlan, inspect, notInspected } from './inspection.ts';

/** Of what is looked at behind a PROXY protocol header. */
const inspectedBytesMax = 64 * 1024;

const noBytes: Buffer = Buffer.alloc(0);

export class FirstBytes {
  private readonly info: ConnectionInfo;
  /** What belongs to the connection's own protocol. */
  bytes: Buffer = noBytes;
  private isHeaderRead = false;

  constructor(info: ConnectionInfo) {
    this.info = info;
  }

  /** Takes a chunk, which is not kept when it is copied; `refused` when the connection is to be closed. */
  feed(chunk: Buffer, plan: InspectionPlan | null): Inspected | 'more' | 'refused' {
    this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk]);
    if (plan === null) return notInspected;
    if (!this.isHeaderRead && plan.proxyProtocol !== null) {
      const length = plan.proxyProtocol.read(this.bytes, this.info);
      if (length === 'more') return this.bytes.length < maxHeaderBytes ? 'more' : 'refused';
      if (length === 'refused') return 'refused';
      this.bytes = this.bytes.subarray(length);
    }
    this.isHeaderRead = true;
    const seen = inspect(plan, this.bytes);
    return seen === 'more' && this.bytes.length >= inspectedBytesMax ? notInspected : seen;
  }

  /**
   * Whether the connection may go on where nothing more is waited for. Other than with Envoy, waiting is no way round a header that every
   * connection needs.
   */
  mayGoOn(plan: InspectionPlan | null): boolean {
    if (this.isHeaderRead || plan === null || plan.proxyProtocol === null) return true;
    return plan.proxyProtocol.mayBeMissing();
  }
}
