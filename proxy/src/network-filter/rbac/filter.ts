// Ends connections that no policy allows or some policy denies, before any of their bytes are used.

import type { Clock } from '@weft/lib/clock';
import { type Fault, fault } from '../../fault/fault.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import type { RbacEnforcer } from '../../security/rbac.ts';
import type { SecurityLog } from '../../security/security-log.ts';
import type { DecisionLog } from '../../telemetry/decisions.ts';
import { describeOrigin } from '../../telemetry/operator/connection.ts';
import { responsibleFor } from '../../telemetry/responsible.ts';
import { ConnectionView } from '../../telemetry/view.ts';
import type { NetworkFilter } from '../network-filter.ts';

/** Where refusals are told. */
export interface RefusalReport {
  readonly log: SecurityLog;
  readonly clock: Clock;
  readonly decisions: DecisionLog;
}

/** One RBAC filter of a chain. */
export class NetworkRbacFilter implements NetworkFilter {
  readonly name = 'envoy.filters.network.rbac';
  readonly onConnection: (info: ConnectionInfo) => Fault | null;
  private readonly enforcer: RbacEnforcer;
  private readonly report: RefusalReport;

  constructor(enforcer: RbacEnforcer, report: RefusalReport) {
    this.enforcer = enforcer;
    this.report = report;
    this.onConnection = (info) => this.check(info);
  }

  private check(info: ConnectionInfo): Fault | null {
    const details = this.enforcer.refusal(info, null);
    if (details === null) return null;
    this.tell(info, details);
    return fault.access_denied;
  }

  // There is no reply that could carry the decision, and there may be no access log.
  private tell(info: ConnectionInfo, details: string): void {
    const { clock, decisions, log } = this.report;
    const view = new ConnectionView(info, clock.wallMs(), clock.now());
    view.fault = fault.access_denied;
    view.details = details;
    view.endMs = 0;
    view.decisionId = decisions.newId();
    decisions.record(view);
    const identity = info.peer?.uriSans[0];
    const origin = describeOrigin(responsibleFor(view)) ?? undefined;
    const decision = view.decisionId;
    log.info('connection refused', { details, origin, decision, remote: info.remoteAddress, identity });
  }
}
