// The one ordered list of kinds. A new kind is a schema file, a line in `ResourceKinds` and an entry in `kinds`.

import type { z } from 'zod';
import { type AuthorizationPolicy, authorizationPolicySchema } from './authorization-policy.ts';
import { type DestinationRule, destinationRuleSchema } from './destination-rule.ts';
import { type Gateway, gatewaySchema } from './gateway.ts';
import { type Namespace, namespaceSchema } from './namespace.ts';
import { type PeerAuthentication, peerAuthenticationSchema } from './peer-authentication.ts';
import { type Process, processSchema } from './process.ts';
import { type Secret, secretSchema } from './secret.ts';
import { type Service, serviceSchema } from './service.ts';
import { type ServiceEntry, serviceEntrySchema } from './service-entry.ts';
import { type VirtualService, virtualServiceSchema } from './virtual-service.ts';
import { type WorkloadEntry, workloadEntrySchema } from './workload-entry.ts';

/** The type of each kind's stored objects. The key is unique over all groups, even where two groups share a kind's name. */
export interface ResourceKinds {
  Namespace: Namespace;
  Secret: Secret;
  Service: Service;
  ServiceEntry: ServiceEntry;
  WorkloadEntry: WorkloadEntry;
  VirtualService: VirtualService;
  DestinationRule: DestinationRule;
  Gateway: Gateway;
  PeerAuthentication: PeerAuthentication;
  AuthorizationPolicy: AuthorizationPolicy;
  Process: Process;
}

export type KindName = keyof ResourceKinds;

/** Any stored object. */
export type AnyResource = ResourceKinds[KindName];

/** A column of `kubectl get`, read from the object by a simple path such as `.spec.hosts`. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly path: string;
}

/** What is known about a kind besides its meaning. */
export interface KindInfo<K extends KindName = KindName> {
  /** Key in `ResourceKinds`. */
  readonly id: K;
  readonly kind: string;
  /** Empty for the core group. */
  readonly group: string;
  /** Accepted and served versions; the first is stored. */
  readonly versions: readonly string[];
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly columns: readonly Column[];
  readonly schema: z.ZodType;
}

const istio = { namespaced: true, versions: ['v1', 'v1beta1', 'v1alpha3'], group: 'networking.istio.io' } as const;
const networking = { ...istio, categories: ['istio-io', 'networking-istio-io'] } as const;
const security = {
  namespaced: true,
  versions: ['v1', 'v1beta1'],
  group: 'security.istio.io',
  categories: ['istio-io', 'security-istio-io'],
} as const;
const core = { group: '', versions: ['v1'], namespaced: true, categories: [] } as const;

const age: Column = { name: 'Age', type: 'date', path: '.metadata.creationTimestamp' };

/** Every kind, in the order in which resources of one batch are best applied. */
export const kinds: readonly KindInfo[] = [
  {
    ...core,
    id: 'Namespace',
    kind: 'Namespace',
    plural: 'namespaces',
    singular: 'namespace',
    shortNames: ['ns'],
    namespaced: false,
    columns: [{ name: 'Status', type: 'string', path: '.status.phase' }, age],
    schema: namespaceSchema,
  },
  {
    ...core,
    id: 'Secret',
    kind: 'Secret',
    plural: 'secrets',
    singular: 'secret',
    shortNames: [],
    columns: [{ name: 'Type', type: 'string', path: '.type' }, age],
    schema: secretSchema,
  },
  {
    ...core,
    id: 'Service',
    kind: 'Service',
    plural: 'services',
    singular: 'service',
    shortNames: ['svc'],
    categories: ['all'],
    columns: [
      { name: 'Type', type: 'string', path: '.spec.type' },
      { name: 'Port(s)', type: 'string', path: '.spec.ports[*].port' },
      age,
    ],
    schema: serviceSchema,
  },
  {
    ...networking,
    id: 'ServiceEntry',
    kind: 'ServiceEntry',
    plural: 'serviceentries',
    singular: 'serviceentry',
    shortNames: ['se'],
    columns: [
      { name: 'Hosts', type: 'string', path: '.spec.hosts' },
      { name: 'Location', type: 'string', path: '.spec.location' },
      { name: 'Resolution', type: 'string', path: '.spec.resolution' },
      age,
    ],
    schema: serviceEntrySchema,
  },
  {
    ...networking,
    id: 'WorkloadEntry',
    kind: 'WorkloadEntry',
    plural: 'workloadentries',
    singular: 'workloadentry',
    shortNames: ['we'],
    columns: [age, { name: 'Address', type: 'string', path: '.spec.address' }],
    schema: workloadEntrySchema,
  },
  {
    ...networking,
    id: 'VirtualService',
    kind: 'VirtualService',
    plural: 'virtualservices',
    singular: 'virtualservice',
    shortNames: ['vs'],
    columns: [
      { name: 'Gateways', type: 'string', path: '.spec.gateways' },
      { name: 'Hosts', type: 'string', path: '.spec.hosts' },
      age,
    ],
    schema: virtualServiceSchema,
  },
  {
    ...networking,
    id: 'DestinationRule',
    kind: 'DestinationRule',
    plural: 'destinationrules',
    singular: 'destinationrule',
    shortNames: ['dr'],
    columns: [{ name: 'Host', type: 'string', path: '.spec.host' }, age],
    schema: destinationRuleSchema,
  },
  {
    ...networking,
    id: 'Gateway',
    kind: 'Gateway',
    plural: 'gateways',
    singular: 'gateway',
    shortNames: ['gw'],
    columns: [age],
    schema: gatewaySchema,
  },
  {
    ...security,
    id: 'PeerAuthentication',
    kind: 'PeerAuthentication',
    plural: 'peerauthentications',
    singular: 'peerauthentication',
    shortNames: ['pa'],
    columns: [{ name: 'Mode', type: 'string', path: '.spec.mtls.mode' }, age],
    schema: peerAuthenticationSchema,
  },
  {
    ...security,
    id: 'AuthorizationPolicy',
    kind: 'AuthorizationPolicy',
    plural: 'authorizationpolicies',
    singular: 'authorizationpolicy',
    shortNames: ['ap'],
    columns: [{ name: 'Action', type: 'string', path: '.spec.action' }, age],
    schema: authorizationPolicySchema,
  },
  {
    id: 'Process',
    kind: 'Process',
    group: 'weft.dev',
    versions: ['v1alpha1'],
    plural: 'processes',
    singular: 'process',
    shortNames: ['proc'],
    categories: ['all', 'weft'],
    namespaced: true,
    columns: [{ name: 'Replicas', type: 'integer', path: '.spec.replicas' }, age],
    schema: processSchema,
  },
];

const byId: ReadonlyMap<string, KindInfo> = new Map(kinds.map((info) => [info.id, info]));

/** What is known about a kind of ours. */
export function kindInfo(id: KindName): KindInfo {
  const info = byId.get(id);
  if (info === undefined) throw new Error(`kind ${id} is missing from the list of kinds`);
  return info;
}

/** The kind of an object's `apiVersion` and `kind`, or null when Weft has no such kind or version. */
export function findKind(apiVersion: string, kind: string): KindInfo | null {
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  return kinds.find((info) => info.kind === kind && info.group === group && info.versions.includes(version)) ?? null;
}

/** The kind that a person means by `vs`, `virtualservice`, `virtualservices.networking.istio.io`, `VirtualService` ..., or null. */
export function findKindByName(text: string): KindInfo | null {
  const [name = '', ...rest] = text.toLowerCase().split('.');
  const group = rest.join('.');
  const isNamed = (info: KindInfo) =>
    info.plural === name ||
    info.singular === name ||
    info.kind.toLowerCase() === name ||
    info.shortNames.includes(name);
  return kinds.find((info) => isNamed(info) && (group === '' || info.group === group)) ?? null;
}

/** `networking.istio.io/v1`, or `v1` in the core group; the stored version unless another is asked for. */
export function apiVersionOf(info: KindInfo, version: string = info.versions[0] ?? ''): string {
  return info.group === '' ? version : `${info.group}/${version}`;
}
