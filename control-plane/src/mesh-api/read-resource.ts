// Reading resources: one, or a list with selectors, pages and tables.

import type { AnyResource } from '@weft/api/resource/kind';
import type { StoredResource } from '../store/world.ts';
import type { ApiRequest } from './api-request.ts';
import { listEnvelope } from './discovery.ts';
import { impliedNamespaces } from './implied-namespaces.ts';
import { failure, jsonReply, type Reply } from './reply.ts';
import { notFound, type ResourceContext, selectionOf, servedObject, wantsTable } from './resource-context.ts';
import type { ResourcePath } from './resource-path.ts';
import { tableOf } from './table.ts';

/** GET of one resource. */
export function getResource(context: ResourceContext, target: ResourcePath, request: ApiRequest): Reply {
  const { info, version } = target;
  const resource =
    context.store.get(info.id, target.namespace ?? '', target.name ?? '') ??
    impliedOf(context, target).find(({ object }) => object.metadata.name === target.name);
  if (resource === undefined) return notFound(target);
  const object = servedObject(context, info, version, resource);
  if (!wantsTable(request)) return jsonReply(200, object);
  return jsonReply(
    200,
    tableOf(info, [object], { resourceVersion: object.metadata.resourceVersion }, context.clock.wallMs()),
  );
}

/** GET of a collection. Pages follow names; a later page sees the world of its own moment. */
export function listResources(context: ResourceContext, target: ResourcePath, request: ApiRequest): Reply {
  const selection = selectionOf(request, target);
  if ('refusal' in selection) return selection.refusal;
  const limit = Number(request.query.get('limit') ?? 0);
  const after = parseContinue(request.query.get('continue') ?? '');
  if (!Number.isInteger(limit) || limit < 0) return failure('BadRequest', 'limit is no whole number.');
  if (after === null) return failure('Expired', 'The continue token is not one of this API; list from the start.');
  const { items, version } = context.store.list(target.info.id);
  const selected = [...items, ...impliedOf(context, target)]
    .filter((each) => selection.matches(each.object) && keyOf(each.object) > after)
    .sort((a, b) => (keyOf(a.object) < keyOf(b.object) ? -1 : 1));
  const isCut = limit > 0 && selected.length > limit;
  const page = (isCut ? selected.slice(0, limit) : selected).map((each) =>
    servedObject(context, target.info, target.version, each),
  );
  const last = page.at(-1);
  const metadata = {
    resourceVersion: version,
    ...(isCut && last !== undefined
      ? { continue: makeContinue(keyOf(last)), remainingItemCount: selected.length - page.length }
      : {}),
  };
  if (wantsTable(request)) return jsonReply(200, tableOf(target.info, page, metadata, context.clock.wallMs()));
  return jsonReply(200, { ...listEnvelope(target.info, target.version), metadata, items: page });
}

function impliedOf(context: ResourceContext, { info }: ResourcePath): readonly StoredResource[] {
  return info.id === 'Namespace' ? impliedNamespaces(context) : [];
}

function keyOf(object: AnyResource): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

function makeContinue(key: string): string {
  return Buffer.from(JSON.stringify({ after: key })).toString('base64url');
}

/** The key after which a page begins; empty for the first page, null for a token that is none. */
function parseContinue(token: string): string | null {
  if (token === '') return '';
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('after' in parsed)) return null;
    return typeof parsed.after === 'string' ? parsed.after : null;
  } catch {
    return null;
  }
}
