// Role based access: `envoy.config.rbac.v3.RBAC` compiled once, used by the HTTP and the network filter alike.

import type { envoy } from '@weft/api/xds/types';
import type { Counter, Scope } from '@weft/lib/metrics';
import type { ConnectionInfo } from '../io/connection-info.ts';
import { type IssueSink, refuseFields, reportError, sinkAt } from './data-source.ts';
import {
  anyRule,
  compilePermission,
  compilePrincipal,
  type RbacRequest,
  type Rule,
  type RulePlace,
} from './rbac/rule.ts';

type RbacConfig = envoy.config.rbac.v3.RBAC;
type PolicyConfig = envoy.config.rbac.v3.Policy;

/** One policy: it matches when one of its permissions and one of its principals do. */
interface Policy {
  readonly name: string;
  readonly permission: Rule;
  readonly principal: Rule;
}

/** Whether access is granted, and by or against which policy. Verdicts are made at compile time and shared. */
export interface RbacVerdict {
  readonly allowed: boolean;
  /** The policy that matched, or null. */
  readonly policy: string | null;
  /** `rbac_access_denied_matched_policy[...]` for a refusal, else empty. */
  readonly details: string;
}

/** Compiled rules of one action. */
export class Rbac {
  readonly action: 'ALLOW' | 'DENY' | 'LOG';
  private readonly policies: readonly Policy[];
  private readonly verdicts: readonly RbacVerdict[];
  private readonly otherwise: RbacVerdict;

  constructor(action: Rbac['action'], policies: readonly Policy[]) {
    this.action = action;
    this.policies = policies;
    this.verdicts = policies.map(({ name }) => makeVerdict(action !== 'DENY', name));
    this.otherwise = makeVerdict(action !== 'ALLOW', null);
  }

  /** The first policy in order of names decides. LOG always grants. */
  evaluate(connection: ConnectionInfo, request: RbacRequest | null): RbacVerdict {
    for (let i = 0; i < this.policies.length; i++) {
      const policy = this.policies[i] as Policy;
      if (!policy.permission(connection, request) || !policy.principal(connection, request)) continue;
      return this.verdicts[i] as RbacVerdict;
    }
    return this.otherwise;
  }
}

function makeVerdict(allowed: boolean, policy: string | null): RbacVerdict {
  return { allowed, policy, details: allowed ? '' : `rbac_access_denied_matched_policy[${policy ?? 'none'}]` };
}

/** Compiles; null after reporting every problem. */
export function compileRbac(config: RbacConfig, hasRequest: boolean, sink: IssueSink): Rbac | null {
  const action = config.action ?? 'ALLOW';
  if (action !== 'ALLOW' && action !== 'DENY' && action !== 'LOG') {
    return reportError(sinkAt(sink, 'action'), 'WEFT0734', `the action ${action} is unknown; use ALLOW, DENY or LOG`);
  }
  refuseFields(config, { auditLoggingOptions: 'audit_logging_options' }, sink);
  const before = sink.issues.length;
  const policies: Policy[] = [];
  const entries = Object.entries(config.policies ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, policy] of entries) {
    const place = { sink: sinkAt(sink, `policies["${name}"]`), anyValue: action !== 'ALLOW', hasRequest };
    const compiled = compilePolicy(name, policy, place);
    if (compiled !== null) policies.push(compiled);
  }
  return sink.issues.slice(before).some((issue) => issue.level === 'error') ? null : new Rbac(action, policies);
}

function compilePolicy(name: string, config: PolicyConfig, place: RulePlace): Policy | null {
  refuseFields(config, { condition: 'condition', checkedCondition: 'checked_condition' }, place.sink);
  const permission = compileList(config.permissions ?? [], 'permissions', place, compilePermission);
  const principal = compileList(config.principals ?? [], 'principals', place, compilePrincipal);
  return permission === null || principal === null ? null : { name, permission, principal };
}

function compileList<T>(
  configs: readonly T[],
  field: string,
  place: RulePlace,
  compile: (config: T, place: RulePlace) => Rule | null,
): Rule | null {
  if (configs.length === 0) {
    return reportError(
      sinkAt(place.sink, field),
      'WEFT0731',
      `${field} is empty; give at least one, \`any: true\` for all`,
    );
  }
  const rules = configs.map((config, i) => compile(config, { ...place, sink: sinkAt(place.sink, `${field}[${i}]`) }));
  return rules.some((rule) => rule === null) ? null : anyRule(rules.filter((rule) => rule !== null));
}

/** Enforced and shadow rules of one filter, with their counters. */
export class RbacEnforcer {
  private readonly rules: Rbac | null;
  private readonly shadow: Rbac | null;
  private readonly counters: RbacCounters;

  constructor(rules: Rbac | null, shadow: Rbac | null, counters: RbacCounters) {
    this.rules = rules;
    this.shadow = shadow;
    this.counters = counters;
  }

  /** The details of a refusal, or null when access is granted. Shadow rules are only counted. */
  refusal(connection: ConnectionInfo, request: RbacRequest | null): string | null {
    if (this.shadow !== null) this.counters.countShadow(this.shadow.evaluate(connection, request));
    if (this.rules === null) return null;
    const verdict = this.rules.evaluate(connection, request);
    this.counters.count(verdict);
    return verdict.allowed ? null : verdict.details;
  }
}

/** Names of the counters, as Envoy's: `rbac.allowed`, `rbac.<prefix>denied`, `rbac.shadow_denied`, `rbac.policy.<name>.denied`. */
export interface RbacCounterNames {
  readonly rulesPrefix: string;
  readonly shadowPrefix: string;
  readonly perPolicy: boolean;
}

/** The counters of one filter. */
export class RbacCounters {
  private readonly allowed: Counter;
  private readonly denied: Counter;
  private readonly shadowAllowed: Counter;
  private readonly shadowDenied: Counter;
  private readonly scope: Scope;
  private readonly perPolicy: Map<string, Counter> | null;

  constructor(scope: Scope, names: RbacCounterNames) {
    this.scope = scope;
    this.allowed = scope.counter(`rbac.${names.rulesPrefix}allowed`);
    this.denied = scope.counter(`rbac.${names.rulesPrefix}denied`);
    this.shadowAllowed = scope.counter(`rbac.${names.shadowPrefix}shadow_allowed`);
    this.shadowDenied = scope.counter(`rbac.${names.shadowPrefix}shadow_denied`);
    this.perPolicy = names.perPolicy ? new Map() : null;
  }

  count(verdict: RbacVerdict): void {
    (verdict.allowed ? this.allowed : this.denied).inc();
    this.countPolicy(verdict, verdict.allowed ? 'allowed' : 'denied');
  }

  countShadow(verdict: RbacVerdict): void {
    (verdict.allowed ? this.shadowAllowed : this.shadowDenied).inc();
    this.countPolicy(verdict, verdict.allowed ? 'shadow_allowed' : 'shadow_denied');
  }

  private countPolicy(verdict: RbacVerdict, what: string): void {
    if (this.perPolicy === null || verdict.policy === null) return;
    const key = `rbac.policy.${verdict.policy}.${what}`;
    let counter = this.perPolicy.get(key);
    if (counter === undefined) {
      counter = this.scope.counter(key);
      this.perPolicy.set(key, counter);
    }
    counter.inc();
  }
}
