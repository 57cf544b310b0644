// Kubernetes' discovery: versions, groups and their resources, plain and aggregated.

import { apiVersionOf, type KindInfo, kinds } from '@weft/api/resource/kind';
import type { ApiRequest } from './api-request.ts';
import { jsonReply, type Reply } from './reply.ts';
import type { Route } from './route.ts';

const verbs = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];
const statusVerbs = ['get', 'patch', 'update'];

/** Groups in the order of the list of kinds; the core group has an empty name. */
export function apiGroups(): readonly string[] {
  return [...new Set(kinds.map((info) => info.group))];
}

/** Versions of a group, the stored one first. */
export function versionsOf(group: string): readonly string[] {
  return [...new Set(kinds.filter((info) => info.group === group).flatMap((info) => info.versions))];
}

/** The endpoints of discovery. `version` is Weft's own. */
export function discoveryRoutes(version: string): readonly Route[] {
  const get = (path: string, handle: Route['handle']): Route => ({ method: 'GET', path, handle });
  const groups = apiGroups().filter((group) => group !== '');
  return [
    get('/version', () => jsonReply(200, serverVersion(version))),
    get(
      '/api',
      (request) =>
        aggregated(request, ['']) ??
        jsonReply(200, { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }),
    ),
    get(
      '/apis',
      (request) =>
        aggregated(request, groups) ??
        jsonReply(200, { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) }),
    ),
    get('/api/v1', () => jsonReply(200, resourceList('', 'v1'))),
    ...groups.map((group) =>
      get(`/apis/${group}`, () => jsonReply(200, { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) })),
    ),
    ...groups.flatMap((group) =>
      versionsOf(group).map((each) => get(`/apis/${group}/${each}`, () => jsonReply(200, resourceList(group, each)))),
    ),
  ];
}

/** The Kubernetes version that clients take for the set of features; the rest is Weft's. */
function serverVersion(version: string): object {
  return {
    major: '1',
    minor: '32',
    gitVersion: `v1.32.0+weft-${version}`,
    platform: `${process.platform}/${process.arch}`,
  };
}

function apiGroup(group: string): object {
  const versions = versionsOf(group).map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions, preferredVersion: versions[0] };
}

function kindsOf(group: string, version: string): readonly KindInfo[] {
  return kinds.filter((info) => info.group === group && info.versions.includes(version));
}

function resourceList(group: string, version: string): object {
  const resources = kindsOf(group, version).flatMap((info) => [
    {
      name: info.plural,
      singularName: info.singular,
      namespaced: info.namespaced,
      kind: info.kind,
      verbs,
      shortNames: info.shortNames,
      categories: info.categories,
    },
    {
      name: `${info.plural}/status`,
      singularName: '',
      namespaced: info.namespaced,
      kind: info.kind,
      verbs: statusVerbs,
    },
  ]);
  const groupVersion = group === '' ? version : `${group}/${version}`;
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
}

/** The aggregated form, when the client asks for it: everything in one answer. */
function aggregated(request: ApiRequest, groups: readonly string[]): Reply | null {
  const accept = request.headers.accept ?? '';
  const match = /as=APIGroupDiscoveryList/.test(accept) ? /v=(v2beta1|v2)(?=;|,|\s|$)/.exec(accept) : null;
  if (match === null) return null;
  const body = {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${match[1]}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versionsOf(group).map((version) => ({
        version,
        freshness: 'Current',
        resources: kindsOf(group, version).map((info) => discovered(info, version)),
      })),
    })),
  };
  return jsonReply(200, body, {
    'content-type': `application/json;g=apidiscovery.k8s.io;v=${match[1]};as=APIGroupDiscoveryList`,
  });
}

function discovered(info: KindInfo, version: string): object {
  const responseKind = { group: info.group, version, kind: info.kind };
  return {
    resource: info.plural,
    responseKind,
    scope: info.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: info.singular,
    verbs,
    shortNames: info.shortNames,
    categories: info.categories,
    subresources: [{ subresource: 'status', responseKind, verbs: statusVerbs }],
  };
}

/** `VirtualServiceList` of the version that was asked for. */
export function listEnvelope(info: KindInfo, version: string): { kind: string; apiVersion: string } {
  return { kind: `${info.kind}List`, apiVersion: apiVersionOf(info, version) };
}
