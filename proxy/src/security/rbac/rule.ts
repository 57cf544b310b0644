// One condition of an access policy, compiled to a function of the connection and, where there is one, the request.

import type { envoy } from '@weft/api/xds/types';
import type { Headers } from '@weft/lib/header';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import { type IssueSink, refuseFields, reportError, reportWarning, sinkAt } from '../data-source.ts';
import { compileStringMatcher } from '../string-matcher.ts';
import { compileCidr, parseAddress } from './cidr.ts';
import { compileRbacHeader } from './header.ts';

type Permission = envoy.config.rbac.v3.Permission;
type Principal = envoy.config.rbac.v3.Principal;
type CidrRange = envoy.config.core.v3.CidrRange;
type HeaderMatcher = envoy.config.route.v3.HeaderMatcher;
type PathMatcher = envoy.type.matcher.v3.PathMatcher;

/** What rules see of a request. */
export interface RbacRequest {
  readonly method: string;
  /** Normalised as for routing, with the query. */
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly requestHeaders: Headers;
  /** By `x-forwarded-for` where that is trusted; the connection's counts where this is no address. */
  readonly clientAddress?: string;
}

/** Whether a condition holds. `request` is null for a connection of which no request is known. */
export type Rule = (connection: ConnectionInfo, request: RbacRequest | null) => boolean;

/**
 * Where a rule stands. `anyValue` says how a repeated header counts: one value is enough where a match denies, every value
 * must match where a match allows; a negation turns it round. So adding a second value never opens a door.
 */
export interface RulePlace {
  readonly sink: IssueSink;
  readonly anyValue: boolean;
  /** Network filters know no request. */
  readonly hasRequest: boolean;
}

function below(place: RulePlace, field: string): RulePlace {
  return { ...place, sink: sinkAt(place.sink, field) };
}

function negated(place: RulePlace, field: string): RulePlace {
  return { ...below(place, field), anyValue: !place.anyValue };
}

/** Null after reporting what is wrong. */
export function compilePermission(config: Permission, place: RulePlace): Rule | null {
  refuseFields(config, { metadata: 'metadata', matcher: 'matcher', uriTemplate: 'uri_template' }, place.sink);
  if (config.any === true) return always;
  if (config.andRules !== undefined)
    return allOf(config.andRules.rules ?? [], below(place, 'and_rules'), compilePermission);
  if (config.orRules !== undefined)
    return anyOf(config.orRules.rules ?? [], below(place, 'or_rules'), compilePermission);
  if (config.notRule !== undefined) return not(compilePermission(config.notRule, negated(place, 'not_rule')));
  if (config.header !== undefined) return compileHeaderRule(config.header, place);
  if (config.urlPath !== undefined) return compilePathRule(config.urlPath, place);
  if (config.destinationIp !== undefined) {
    const matches = compileCidr(config.destinationIp, sinkAt(place.sink, 'destination_ip'));
    return matches === null ? null : (connection) => matches(destinationAddress(connection));
  }
  if (config.destinationPort !== undefined) {
    const port = config.destinationPort;
    return (connection) => destinationPort(connection) === port;
  }
  if (config.destinationPortRange !== undefined) {
    const { start = 0, end = 0 } = config.destinationPortRange;
    return (connection) => inRange(destinationPort(connection), start, end);
  }
  if (config.requestedServerName !== undefined) {
    const matches = compileStringMatcher(config.requestedServerName, sinkAt(place.sink, 'requested_server_name'));
    return matches === null ? null : (connection) => matches(connection.serverName);
  }
  return reportUnset(place, 'permission');
}

/** Null after reporting what is wrong. */
export function compilePrincipal(config: Principal, place: RulePlace): Rule | null {
  refuseFields(config, { metadata: 'metadata', filterState: 'filter_state' }, place.sink);
  if (config.any === true) return always;
  if (config.andIds !== undefined) return allOf(config.andIds.ids ?? [], below(place, 'and_ids'), compilePrincipal);
  if (config.orIds !== undefined) return anyOf(config.orIds.ids ?? [], below(place, 'or_ids'), compilePrincipal);
  if (config.notId !== undefined) return not(compilePrincipal(config.notId, negated(place, 'not_id')));
  if (config.header !== undefined) return compileHeaderRule(config.header, place);
  if (config.urlPath !== undefined) return compilePathRule(config.urlPath, place);
  if (config.authenticated !== undefined)
    return compileAuthenticated(config.authenticated, below(place, 'authenticated'));
  // Neither believes `x-forwarded-for`; `source_ip`, which is deprecated, believes a PROXY protocol header.
  if (config.sourceIp !== undefined) {
    const matches = compileCidr(config.sourceIp, sinkAt(place.sink, 'source_ip'));
    return matches === null ? null : (connection) => matches(connection.remoteAddress);
  }
  if (config.directRemoteIp !== undefined)
    return compileDirectAddress(config.directRemoteIp, below(place, 'direct_remote_ip'));
  if (config.remoteIp !== undefined) {
    const matches = compileCidr(config.remoteIp, sinkAt(place.sink, 'remote_ip'));
    if (matches === null) return null;
    return (connection, request) => {
      const client = request?.clientAddress ?? '';
      return matches(parseAddress(client) === null ? connection.remoteAddress : client);
    };
  }
  return reportUnset(place, 'principal');
}

function reportUnset(place: RulePlace, what: string): null {
  return reportError(
    place.sink,
    'WEFT0731',
    `the ${what} says nothing that is supported; an empty rule would match nobody or everybody`,
  );
}

function always(): boolean {
  return true;
}

type Compile<T> = (config: T, place: RulePlace) => Rule | null;

function compileAll<T>(configs: readonly T[], place: RulePlace, compile: Compile<T>): Rule[] | null {
  const field = place.sink.path.endsWith('ids') ? 'ids' : 'rules';
  if (configs.length === 0) {
    return reportError(place.sink, 'WEFT0731', `the list of ${field} is empty; give at least one`);
  }
  const rules = configs.map((config, i) => compile(config, below(place, `${field}[${i}]`)));
  return rules.some((rule) => rule === null) ? null : rules.filter((rule) => rule !== null);
}

function allOf<T>(configs: readonly T[], place: RulePlace, compile: Compile<T>): Rule | null {
  const rules = compileAll(configs, place, compile);
  if (rules === null) return null;
  const [only] = rules;
  if (rules.length === 1 && only !== undefined) return only;
  return (connection, request) => {
    for (const rule of rules) if (!rule(connection, request)) return false;
    return true;
  };
}

function anyOf<T>(configs: readonly T[], place: RulePlace, compile: Compile<T>): Rule | null {
  const rules = compileAll(configs, place, compile);
  return rules === null ? null : anyRule(rules);
}

/** Whether one of the rules holds. */
export function anyRule(rules: readonly Rule[]): Rule {
  const [only] = rules;
  if (rules.length === 1 && only !== undefined) return only;
  return (connection, request) => {
    for (const rule of rules) if (rule(connection, request)) return true;
    return false;
  };
}

function not(rule: Rule | null): Rule | null {
  return rule === null ? null : (connection, request) => !rule(connection, request);
}

function compileHeaderRule(config: HeaderMatcher, place: RulePlace): Rule | null {
  warnWithoutRequest(place, 'header');
  const matches = compileRbacHeader(config, { sink: sinkAt(place.sink, 'header'), anyValue: place.anyValue });
  return matches === null ? null : (_, request) => request !== null && matches(request);
}

/** Looks at the path without its query, as routing does. */
function compilePathRule(config: PathMatcher, place: RulePlace): Rule | null {
  warnWithoutRequest(place, 'url_path');
  const sink = sinkAt(place.sink, 'url_path.path');
  if (config.path === undefined) return reportError(sink, 'WEFT0731', 'the path matcher is missing');
  const matches = compileStringMatcher(config.path, sink);
  return matches === null ? null : (_, request) => request !== null && matches(withoutQuery(request.path));
}

function withoutQuery(path: string): string {
  const end = path.search(/[?#]/);
  return end < 0 ? path : path.slice(0, end);
}

function warnWithoutRequest(place: RulePlace, field: string): void {
  if (place.hasRequest) return;
  const problem = `${field} never matches a connection, only requests; use the HTTP filter, or match addresses and identities`;
  reportWarning(sinkAt(place.sink, field), 'WEFT0732', problem);
}

/**
 * As Envoy does it, if not as its documentation says it: any URI name, any DNS name or the subject. With the first kind alone, whoever
 * has a URI besides the name that a rule denies would pass. Without a name: any verified certificate.
 */
function compileAuthenticated(config: envoy.config.rbac.v3.Principal.Authenticated, place: RulePlace): Rule | null {
  if (config.principalName === undefined) return (connection) => connection.peer !== null;
  const matches = compileStringMatcher(config.principalName, sinkAt(place.sink, 'principal_name'));
  if (matches === null) return null;
  return ({ peer }) =>
    peer !== null && (peer.uriSans.some(matches) || peer.dnsSans.some(matches) || matches(peer.subject));
}

function compileDirectAddress(range: CidrRange, place: RulePlace): Rule | null {
  const matches = compileCidr(range, place.sink);
  return matches === null ? null : (connection) => matches(connection.directRemoteAddress);
}

/** Where the client was going before a redirection; a host name in a tunnel's authority is no address. */
function destinationAddress(connection: ConnectionInfo): string {
  const original = connection.originalDestination;
  if (original === null) return connection.localAddress;
  const host = original.slice(0, original.lastIndexOf(':'));
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

function destinationPort(connection: ConnectionInfo): number {
  const original = connection.originalDestination;
  return original === null ? connection.localPort : Number(original.slice(original.lastIndexOf(':') + 1));
}

function inRange(value: number, start: number, end: number): boolean {
  return value >= start && value < end;
}
