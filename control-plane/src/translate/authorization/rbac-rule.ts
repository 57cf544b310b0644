// One rule of an AuthorizationPolicy as an RBAC policy: what is done (permissions) and who does it (principals).

import type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationRule,
  AuthorizationSource,
} from '@weft/api/resource/authorization-policy';
import type { envoy } from '@weft/api/xds/types';
import type { MeshSettings } from '../../model/settings.ts';
import {
  headerMatcher,
  hostMatcher,
  identityMatcher,
  methodMatcher,
  namespaceMatcher,
  parseCidr,
  pathMatcher,
  serviceAccountMatcher,
  sniMatcher,
  trustDomainMatcher,
} from './rbac-value.ts';

type Policy = envoy.config.rbac.v3.Policy;
type Permission = envoy.config.rbac.v3.Permission;
type Principal = envoy.config.rbac.v3.Principal;

export interface RuleContext {
  readonly settings: MeshSettings;
  readonly action: 'ALLOW' | 'DENY';
  /** Namespace of the policy. */
  readonly namespace: string;
  /** Connections without requests: fields of HTTP cannot be compared. */
  readonly isTcp: boolean;
  readonly ports: readonly number[] | null;
}

/** A list of alternatives, or why there is none: a field that cannot hold here. */
type Clause<T> = readonly T[];
/** `never`: the whole rule (ALLOW) or entry can never match. */
const never = 'never';
type Result<T> = Clause<T> | typeof never;

const anyPermission: Permission = { any: true };
const anyPrincipal: Principal = { any: true };

/** The policy of a rule; null when it can never match on this port. */
export function rulePolicy(rule: AuthorizationRule, context: RuleContext): Policy | null {
  const conditions = conditionClauses(rule.when ?? [], context);
  if (conditions === never) return null;
  const permissions = alternatives(
    (rule.to ?? []).map(({ operation }) => operationClause(operation ?? {}, context)),
    conditions.permissions,
    allPermissions,
  );
  const principals = alternatives(
    (rule.from ?? []).map(({ source }) => sourceClause(source ?? {}, context)),
    conditions.principals,
    allPrincipals,
  );
  return permissions === never || principals === never ? null : { permissions, principals };
}

/** Each entry with the conditions; entries that can never match are left out, and none left means never. */
function alternatives<T>(
  entries: readonly Result<T>[],
  conditions: readonly T[],
  all: (parts: readonly T[]) => T,
): T[] | typeof never {
  if (entries.length === 0) return [all(conditions)];
  const possible = entries.filter((entry) => entry !== never);
  return possible.length === 0 ? never : possible.map((entry) => all([...entry, ...conditions]));
}

function allPermissions(rules: readonly Permission[]): Permission {
  const [only] = rules;
  if (only === undefined) return anyPermission;
  return rules.length === 1 ? only : { andRules: { rules } };
}

function allPrincipals(ids: readonly Principal[]): Principal {
  const [only] = ids;
  if (only === undefined) return anyPrincipal;
  return ids.length === 1 ? only : { andIds: { ids } };
}

/** Collects the parts of one entry; a part that cannot be compared makes an ALLOW never match, and is left out of a DENY. */
class Parts<T> {
  readonly list: T[] = [];
  isNever = false;
  private readonly action: RuleContext['action'];
  private readonly either: (parts: readonly T[]) => T;
  private readonly not: (part: T) => T;

  constructor(action: RuleContext['action'], either: (parts: readonly T[]) => T, not: (part: T) => T) {
    this.action = action;
    this.either = either;
    this.not = not;
  }

  add(
    values: readonly string[] | undefined,
    notValues: readonly string[] | undefined,
    toMatcher: ((value: string) => T | null) | null,
  ): void {
    const wanted = values ?? [];
    const unwanted = notValues ?? [];
    if (wanted.length === 0 && unwanted.length === 0) return;
    if (toMatcher === null) {
      if (this.action === 'ALLOW') this.isNever = true;
      return;
    }
    const parts = wanted.map(toMatcher).filter((part) => part !== null);
    if (wanted.length > 0 && parts.length === 0) this.isNever = true;
    else if (wanted.length > 0) this.list.push(this.either(parts));
    const excluded = unwanted.map(toMatcher).filter((part) => part !== null);
    if (excluded.length > 0) this.list.push(this.not(this.either(excluded)));
  }

  result(): Result<T> {
    return this.isNever ? never : this.list;
  }
}

function permissionParts(context: RuleContext): Parts<Permission> {
  const either = (rules: readonly Permission[]): Permission =>
    rules.length === 1 ? (rules[0] ?? anyPermission) : { orRules: { rules } };
  return new Parts(context.action, either, (notRule) => ({ notRule }));
}

function principalParts(context: RuleContext): Parts<Principal> {
  const either = (ids: readonly Principal[]): Principal =>
    ids.length === 1 ? (ids[0] ?? anyPrincipal) : { orIds: { ids } };
  return new Parts(context.action, either, (notId) => ({ notId }));
}

function operationClause(operation: AuthorizationOperation, context: RuleContext): Result<Permission> {
  const parts = permissionParts(context);
  const http = (matcher: (value: string) => Permission) => (context.isTcp ? null : matcher);
  parts.add(
    operation.hosts,
    operation.notHosts,
    http((value) => ({ header: hostMatcher(value) })),
  );
  parts.add(
    operation.methods,
    operation.notMethods,
    http((value) => ({ header: methodMatcher(value) })),
  );
  parts.add(
    operation.paths,
    operation.notPaths,
    http((value) => ({ urlPath: pathMatcher(value) })),
  );
  addPorts(parts, operation.ports, operation.notPorts, context);
  return parts.result();
}

/** Where the port is known beforehand, the comparison is made here. */
function addPorts(
  parts: Parts<Permission>,
  ports: readonly string[] | undefined,
  notPorts: readonly string[] | undefined,
  context: RuleContext,
): void {
  const known = context.ports;
  if (known === null) {
    parts.add(ports, notPorts, (value) => ({ destinationPort: Number(value) }));
    return;
  }
  const isHere = (value: string) => known.includes(Number(value));
  if (ports !== undefined && ports.length > 0 && !ports.some(isHere)) parts.isNever = true;
  if (notPorts?.some(isHere)) parts.isNever = true;
}

function sourceClause(source: AuthorizationSource, context: RuleContext): Result<Principal> {
  const parts = principalParts(context);
  const account = (value: string) => serviceAccountMatcher(value, context.namespace);
  parts.add(source.principals, source.notPrincipals, identity(context));
  parts.add(source.namespaces, source.notNamespaces, namespaceMatcher);
  parts.add(source.serviceAccounts, source.notServiceAccounts, account);
  parts.add(source.trustDomains, source.notTrustDomains, trustDomainMatcher);
  parts.add(source.ipBlocks, source.notIpBlocks, directIp);
  parts.add(source.remoteIpBlocks, source.notRemoteIpBlocks, context.isTcp ? directIp : remoteIp);
  // No request carries a verified token yet: a rule that asks for one allows nobody and denies everybody.
  parts.add(source.requestPrincipals, source.notRequestPrincipals, null);
  return parts.result();
}

function identity({ settings }: RuleContext): (value: string) => Principal {
  return (value) => identityMatcher(value, settings.trustDomain);
}

function directIp(block: string): Principal | null {
  const directRemoteIp = parseCidr(block);
  return directRemoteIp === null ? null : { directRemoteIp };
}

function remoteIp(block: string): Principal | null {
  const range = parseCidr(block);
  return range === null ? null : { remoteIp: range };
}

interface ConditionClauses {
  readonly permissions: readonly Permission[];
  readonly principals: readonly Principal[];
}

function conditionClauses(
  conditions: readonly AuthorizationCondition[],
  context: RuleContext,
): ConditionClauses | typeof never {
  const permissions = permissionParts(context);
  const principals = principalParts(context);
  for (const condition of conditions) addCondition(condition, permissions, principals, context);
  if (permissions.isNever || principals.isNever) return never;
  return { permissions: permissions.list, principals: principals.list };
}

const headerKey = /^request\.headers\[(.+)\]$/;

function addCondition(
  { key, values, notValues }: AuthorizationCondition,
  permissions: Parts<Permission>,
  principals: Parts<Principal>,
  context: RuleContext,
): void {
  const header = headerKey.exec(key)?.[1];
  if (header !== undefined) {
    const matcher = context.isTcp ? null : (value: string) => ({ header: headerMatcher(header, value) });
    principals.add(values, notValues, matcher);
    return;
  }
  switch (key) {
    case 'source.ip':
      principals.add(values, notValues, directIp);
      break;
    case 'remote.ip':
      principals.add(values, notValues, context.isTcp ? directIp : remoteIp);
      break;
    case 'source.namespace':
      principals.add(values, notValues, namespaceMatcher);
      break;
    case 'source.principal':
      principals.add(values, notValues, identity(context));
      break;
    case 'source.serviceAccount':
      principals.add(values, notValues, (value) => serviceAccountMatcher(value, context.namespace));
      break;
    case 'destination.ip':
      permissions.add(values, notValues, destinationIp);
      break;
    case 'destination.port':
      addPorts(permissions, values, notValues, context);
      break;
    case 'connection.sni':
      permissions.add(values, notValues, (value) => ({ requestedServerName: sniMatcher(value) }));
      break;
    default:
      principals.add(values ?? ['*'], notValues, null);
  }
}

function destinationIp(block: string): Permission | null {
  const range = parseCidr(block);
  return range === null ? null : { destinationIp: range };
}
