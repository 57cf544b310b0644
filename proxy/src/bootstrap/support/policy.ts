// Role-based access control.
import type { SupportTable } from './support-table.ts';

const rbac = 'envoy.config.rbac.v3';

/** `envoy.config.rbac.v3`. */
export const policySupport: SupportTable = {
  [`${rbac}.RBAC`]: {
    carried: 'action policies',
    instead: { audit_logging_options: 'use action LOG, or the access log' },
  },
  [`${rbac}.Policy`]: {
    carried: 'permissions principals',
    instead: {
      condition: 'write the condition as permissions and principals',
      checked_condition: 'write the condition as permissions and principals',
    },
  },
  [`${rbac}.Permission`]: {
    carried:
      'and_rules or_rules any header destination_ip destination_port destination_port_range not_rule requested_server_name url_path',
    instead: {
      metadata: 'no filter sets metadata, so nothing can match it',
      matcher: 'use the other rules',
      uri_template: 'use url_path',
    },
  },
  [`${rbac}.Permission.Set`]: { carried: 'rules' },
  [`${rbac}.Principal`]: {
    carried: 'and_ids or_ids any authenticated direct_remote_ip remote_ip header url_path not_id',
    instead: {
      source_ip: 'use direct_remote_ip or remote_ip',
      metadata: 'no filter sets metadata, so nothing can match it',
      filter_state: 'use authenticated or direct_remote_ip',
    },
  },
  [`${rbac}.Principal.Set`]: { carried: 'ids' },
  [`${rbac}.Principal.Authenticated`]: { carried: 'principal_name' },
};
