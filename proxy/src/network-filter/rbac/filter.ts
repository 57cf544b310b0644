// Ends connections that no policy allows or some policy denies, before any of their bytes are used.

import { type Fault, fault } from '../../fault/fault.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import type { RbacEnforcer } from '../../security/rbac.ts';
import type { SecurityLog } from '../../security/security-log.ts';
import type { NetworkFilter } from '../network-filter.ts';

/** One RBAC filter of a chain. */
export class NetworkRbacFilter implements NetworkFilter {
  readonly name = 'envoy.filters.network.rbac';
  readonly onConnection: (info: ConnectionInfo) => Fault | null;
  private readonly enforcer: RbacEnforcer;
  private readonly log: SecurityLog;

  constructor(enforcer: RbacEnforcer, log: SecurityLog) {
    this.enforcer = enforcer;
    this.log = log;
    this.onConnection = (info) => this.check(info);
  }

  private check(info: ConnectionInfo): Fault | null {
    const details = this.enforcer.refusal(info, null);
    if (details === null) return null;
    // There is no reply that could carry it, and there may be no access log.
    this.log.info('connection refused', { details, remote: info.remoteAddress, identity: info.peer?.uriSans[0] });
    return fault.access_denied;
  }
}
