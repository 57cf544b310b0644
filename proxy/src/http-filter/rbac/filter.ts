// Refuses requests that no policy allows or some policy denies, before any of their body is read.

import { fault } from '../../fault/fault.ts';
import { RbacEnforcer } from '../../security/rbac.ts';
import type { Stream } from '../../stream/stream.ts';
import { CONTINUE, type FilterStatus, type HttpFilter, STOP } from '../filter.ts';

/** One RBAC filter of a chain. */
export class HttpRbacFilter implements HttpFilter {
  readonly name: string;
  slot = -1;
  readonly onRequestHead: (stream: Stream, endStream: boolean) => FilterStatus;
  readonly onRequestData = null;
  readonly onRequestTrailers = null;
  readonly onResponseHead = null;
  readonly onResponseData = null;
  readonly onResponseTrailers = null;
  readonly onComplete = null;
  private readonly enforcer: RbacEnforcer;

  constructor(name: string, enforcer: RbacEnforcer) {
    this.name = name;
    this.enforcer = enforcer;
    this.onRequestHead = (stream) => this.check(stream);
  }

  private check(stream: Stream): FilterStatus {
    const override = stream.routeConfig(this.name);
    const enforcer = override instanceof RbacEnforcer ? override : this.enforcer;
    const details = enforcer.refusal(stream.connection, stream);
    if (details === null) return CONTINUE;
    stream.fail(fault.access_denied, details);
    return STOP;
  }
}
