// What the handlers of resources share: the store, the clock, and what cross-checks need.

import { type AnyResource, apiVersionOf, type KindInfo } from '@weft/api/resource/kind';
import type { Clock } from '@weft/lib/clock';
import type { CheckContext } from '../resource/mesh-index.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import type { StoredResource } from '../store/world.ts';
import type { ApiRequest } from './api-request.ts';
import { type Predicate, parseFieldSelector, parseLabelSelector } from './query-selector.ts';
import { failure, type Reply } from './reply.ts';
import type { ResourcePath } from './resource-path.ts';

/** Handed to every handler of resources. */
export interface ResourceContext {
  readonly store: ResourceStore;
  readonly clock: Clock;
  /** What cross-checks need to know besides the world, at this moment. */
  readonly checkContext: () => CheckContext;
  /** Status that Weft itself reports for a resource, laid over the one that was written; null when there is none. */
  readonly statusOf: (resource: StoredResource) => object | null;
}

/** The object as it is served: in the version that was asked for, with Weft's own status. */
export function servedObject(
  context: ResourceContext,
  info: KindInfo,
  version: string,
  resource: StoredResource,
): AnyResource {
  const reported = info.id === 'Namespace' ? { phase: 'Active' } : context.statusOf(resource);
  const status = reported === null ? {} : { status: { ...resource.object.status, ...reported } };
  return { ...resource.object, apiVersion: apiVersionOf(info, version), ...status } as AnyResource;
}

/** Whether the client wants kubectl's tables rather than objects. */
export function wantsTable(request: ApiRequest): boolean {
  // Types stand in order of preference.
  return /^[^,]*;as=Table/.test(request.headers.accept ?? '');
}

/** The selection of a list or watch, or the reply that refuses its selectors. */
export function selectionOf(
  request: ApiRequest,
  target: ResourcePath,
): { readonly matches: Predicate } | { readonly refusal: Reply } {
  const labels = parseLabelSelector(request.query.get('labelSelector') ?? '');
  const fields = parseFieldSelector(request.query.get('fieldSelector') ?? '');
  if ('problem' in labels) return { refusal: failure('BadRequest', `labelSelector: ${labels.problem}.`) };
  if ('problem' in fields) return { refusal: failure('BadRequest', `fieldSelector: ${fields.problem}.`) };
  return {
    matches: (object) =>
      (target.namespace === null || object.metadata.namespace === target.namespace) &&
      (target.name === null || object.metadata.name === target.name) &&
      labels.matches(object) &&
      fields.matches(object),
  };
}

/** 404 in Kubernetes' words. */
export function notFound(target: ResourcePath): Reply {
  const { info, name } = target;
  const full = info.group === '' ? info.plural : `${info.plural}.${info.group}`;
  return failure('NotFound', `${full} "${name ?? ''}" not found`, {
    name: name ?? '',
    group: info.group,
    kind: info.plural,
  });
}
