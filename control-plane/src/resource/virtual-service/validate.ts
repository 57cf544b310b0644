// Semantic checks of one VirtualService.

import { isIP } from 'node:net';
import type { HttpRoute } from '@weft/api/resource/http-route';
import type { TlsRoute, VirtualService } from '@weft/api/resource/virtual-service';
import { isAddressOrRange } from '../address.ts';
import type { Findings } from '../findings.ts';
import { coversHost, isDnsName, isHostPattern } from '../host.ts';
import { meaningCodes } from '../issue-code.ts';
import { validateHttpRoute } from './http-route.ts';
import { coversHttpMatch } from './match-cover.ts';
import { validateDestinations } from './route-destination.ts';

/** Everything that can be said about a VirtualService seen alone. */
export function validateVirtualService(resource: VirtualService, findings: Findings): void {
  const { spec } = resource;
  validateHosts(findings, spec);
  validateGateways(findings, spec.gateways ?? []);
  const isEmpty = [spec.http, spec.tls, spec.tcp].every((routes) => (routes ?? []).length === 0);
  if (isEmpty) findings.add(meaningCodes.emptyRule, 'spec', 'There are no routes; add http, tls or tcp.');
  for (const [index, route] of (spec.http ?? []).entries()) validateHttpRoute(findings, `spec.http[${index}]`, route);
  validateReachability(findings, spec.http ?? []);
  const covered = hostCover(spec.hosts ?? []);
  for (const [index, route] of (spec.tls ?? []).entries()) validateTls(findings, `spec.tls[${index}]`, route, covered);
  for (const [index, route] of (spec.tcp ?? []).entries()) {
    const path = `spec.tcp[${index}]`;
    validateLayer4(findings, path, route.route);
    for (const [at, match] of (route.match ?? []).entries()) validateSubnets(findings, `${path}.match[${at}]`, match);
  }
}

function validateHosts(findings: Findings, spec: VirtualService['spec']): void {
  const hosts = spec.hosts ?? [];
  // A VirtualService without hosts is one that others delegate to, which works only with HTTP routes.
  if (hosts.length === 0)
    findings.add(
      meaningCodes.emptyRule,
      'spec.hosts',
      'There are no hosts, so the routes belong to nobody; name at least one.',
    );
  const seen = new Set<string>();
  const onlySidecars = (spec.gateways ?? ['mesh']).includes('mesh');
  for (const [index, host] of hosts.entries()) {
    const path = `spec.hosts[${index}]`;
    if (!isHostPattern(host) && isIP(host) === 0)
      findings.add(meaningCodes.invalidHost, path, `"${host}" is no host name.`);
    if (host === '*' && onlySidecars) {
      findings.add(
        meaningCodes.invalidHost,
        path,
        'The host * is for gateways only; a sidecar would route every call by it. Name the hosts, or a gateway.',
      );
    }
    if (seen.has(host)) findings.add(meaningCodes.duplicateName, path, `The host ${host} is listed twice.`);
    seen.add(host);
  }
}

function validateGateways(findings: Findings, gateways: readonly string[]): void {
  for (const [index, gateway] of gateways.entries()) {
    const parts = gateway.split('/');
    if (parts.length <= 2 && parts.every(isDnsName)) continue;
    findings.add(
      meaningCodes.invalidName,
      `spec.gateways[${index}]`,
      `"${gateway}" is no gateway; write name, namespace/name, or mesh.`,
    );
  }
}

/** Each match is compared with every one before it; beyond so many the warnings are not worth the wait. */
const maxReachableMatches = 1000;

function validateReachability(findings: Findings, routes: readonly HttpRoute[]): void {
  const count = routes.reduce((sum, route) => sum + matchesOf(route).length, 0);
  if (count > maxReachableMatches) return;
  for (const [index, route] of routes.entries()) {
    const earlier = routes.slice(0, index);
    const path = `spec.http[${index}]`;
    const matches = route.match ?? [];
    const all = matches.length === 0 ? [{}] : matches;
    const covered = all.map((match) =>
      earlier.findIndex((each) => matchesOf(each).some((wide) => coversHttpMatch(wide, match))),
    );
    if (covered.every((at) => at >= 0)) {
      const message = `spec.http[${covered[0]}] takes every request that this rule matches; put this rule before it, or remove it.`;
      findings.add(meaningCodes.unreachableRoute, path, message);
      continue;
    }
    for (const [at, match] of matches.entries()) {
      const before = matches.slice(0, at).findIndex((wide) => coversHttpMatch(wide, match));
      const by =
        before >= 0
          ? `${path}.match[${before}]`
          : covered[at] !== undefined && covered[at] >= 0
            ? `spec.http[${covered[at]}]`
            : null;
      if (by !== null)
        findings.add(
          meaningCodes.ineffectiveMatch,
          `${path}.match[${at}]`,
          `${by} takes every request that this match takes.`,
        );
    }
  }
}

function matchesOf(route: HttpRoute): readonly NonNullable<HttpRoute['match']>[number][] {
  return route.match === undefined || route.match.length === 0 ? [{}] : route.match;
}

/** Whether one of the hosts covers a name. */
function hostCover(hosts: readonly string[]): (name: string) => boolean {
  const exact = new Set(hosts);
  const wild = hosts.filter((host) => host.startsWith('*'));
  return (name) => exact.has(name) || wild.some((host) => coversHost(host, name));
}

function validateTls(findings: Findings, path: string, route: TlsRoute, isCovered: (name: string) => boolean): void {
  validateLayer4(findings, path, route.route);
  for (const [index, match] of route.match.entries()) {
    const at = `${path}.match[${index}]`;
    validateSubnets(findings, at, match);
    for (const [position, sni] of match.sniHosts.entries()) {
      const where = `${at}.sniHosts[${position}]`;
      if (!isHostPattern(sni)) findings.add(meaningCodes.invalidHost, where, `"${sni}" is no server name.`);
      else if (!isCovered(sni)) {
        findings.add(
          meaningCodes.invalidHost,
          where,
          `The server name ${sni} is none of the hosts of this VirtualService; add it to spec.hosts.`,
        );
      }
    }
  }
}

function validateLayer4(
  findings: Findings,
  path: string,
  route: Parameters<typeof validateDestinations>[2] | undefined,
): void {
  if (route === undefined || route.length === 0) {
    findings.add(meaningCodes.emptyRule, path, 'This rule has no destination; add route.');
    return;
  }
  validateDestinations(findings, `${path}.route`, route);
}

function validateSubnets(
  findings: Findings,
  path: string,
  match: { destinationSubnets?: string[] | undefined; sourceSubnet?: string | undefined },
): void {
  for (const [index, subnet] of (match.destinationSubnets ?? []).entries()) {
    if (isAddressOrRange(subnet)) continue;
    findings.add(
      meaningCodes.invalidAddress,
      `${path}.destinationSubnets[${index}]`,
      `"${subnet}" is no address or range.`,
    );
  }
  if (match.sourceSubnet === undefined || isAddressOrRange(match.sourceSubnet)) return;
  findings.add(meaningCodes.invalidAddress, `${path}.sourceSubnet`, `"${match.sourceSubnet}" is no address or range.`);
}
