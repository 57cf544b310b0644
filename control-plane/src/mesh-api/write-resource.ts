// Writing resources: create, replace and delete. Everything is checked before anything is kept, and all findings come at once.

import { randomBytes } from 'node:crypto';
import type { AnyResource, KindName } from '@weft/api/resource/kind';
import type { Issue } from '@weft/lib/issue';
import { checkOne } from '../resource/check-world.ts';
import { overlayIssues } from '../resource/overlay-finding.ts';
import { type ParsedResource, parseResource } from '../resource/parse-resource.ts';
import { overlayWorld } from '../store/overlay-world.ts';
import type { PutRequest } from '../store/resource-store.ts';
import { isSameWish } from '../store/stamp.ts';
import type { Positions, StoredResource } from '../store/world.ts';
import type { ApiRequest } from './api-request.ts';
import { impliedNamespaces } from './implied-namespaces.ts';
import { isMapping } from './json-patch.ts';
import { escapeWarning, failure, invalidReply, jsonReply, type Reply, warningHeaders } from './reply.ts';
import { notFound, type ResourceContext, servedObject } from './resource-context.ts';
import type { ResourcePath } from './resource-path.ts';

/** A resource about to be kept. */
export interface Draft {
  readonly value: unknown;
  readonly positions: Positions | null;
  readonly expect?: PutRequest['expect'];
}

/** POST to a collection. */
export async function createResource(
  context: ResourceContext,
  target: ResourcePath,
  request: ApiRequest,
): Promise<Reply> {
  const body = await request.readBody();
  if (body.refusal !== null) return body.refusal;
  const draft = { value: withGeneratedName(body.value), positions: body.positions, expect: 'absent' } as const;
  return keepResource(context, target, request, draft);
}

/** PUT of one resource; makes it where it does not exist. */
export async function replaceResource(
  context: ResourceContext,
  target: ResourcePath,
  request: ApiRequest,
): Promise<Reply> {
  const body = await request.readBody();
  if (body.refusal !== null) return body.refusal;
  const current = context.store.get(target.info.id, target.namespace ?? '', target.name ?? '');
  if (target.isStatus && current === null) return notFound(target);
  const version = versionOf(body.value);
  const value = target.isStatus ? withNewStatus(current, body.value) : withOldStatus(current, body.value);
  const positions = target.isStatus ? (current?.positions ?? null) : body.positions;
  return keepResource(context, target, request, {
    value,
    positions,
    ...(version === null ? {} : { expect: { version } }),
  });
}

/** Checks a draft and keeps it, unless this is a dry run. */
export async function keepResource(
  context: ResourceContext,
  target: ResourcePath,
  request: ApiRequest,
  draft: Draft,
): Promise<Reply> {
  const { info } = target;
  const { resource, issues } = parseResource(draft.value, {
    positions: draft.positions,
    defaultNamespace: target.namespace ?? '',
  });
  if (resource === null) return invalidReply(info.kind, target.name ?? nameOf(draft.value), info.group, issues);
  const mismatch = mismatchOf(target, resource);
  if (mismatch !== null) return failure('BadRequest', mismatch);
  const isDryRun = request.query.getAll('dryRun').includes('All');
  if (isDryRun) return rehearse(context, target, resource, draft, issues);
  const { object } = resource;
  const result = await context.store.put({
    kind: info.id,
    object,
    positions: draft.positions,
    ...(draft.expect === undefined ? {} : { expect: draft.expect }),
  });
  if (result.type === 'conflict') return conflictReply(target, resource.name, draft, result.resource);
  const found = [
    ...issues,
    ...overlayFound(context, info.id, result.resource),
    ...checkOne(info.id, resource.namespace, resource.name, context.store.world, context.checkContext()),
  ];
  const served = servedObject(context, info, target.version, result.resource);
  return jsonReply(result.type === 'created' ? 201 : 200, served, warningHeaders(found));
}

function overlayFound(context: ResourceContext, kind: KindName, api: StoredResource): readonly Issue[] {
  const { name, namespace = '' } = api.object.metadata;
  const file = context.store.fileBelow(kind, namespace, name);
  const isOver = api.layer === 'api' && file !== null && !isSameWish(api.object, file.object);
  return isOver ? overlayIssues({ kind, file, api }) : [];
}

/** What keeping it would answer, without keeping it. */
function rehearse(
  context: ResourceContext,
  target: ResourcePath,
  resource: ParsedResource,
  draft: Draft,
  issues: readonly Issue[],
): Reply {
  const { info, namespace, name } = resource;
  const current = context.store.get(info.id, namespace, name);
  const isStale = typeof draft.expect === 'object' && current?.object.metadata.resourceVersion !== draft.expect.version;
  if (isStale || (draft.expect === 'absent' && current !== null)) return conflictReply(target, name, draft, current);
  const { uid, creationTimestamp, generation, resourceVersion } = current?.object.metadata ?? {};
  const server = Object.fromEntries(
    Object.entries({ uid, creationTimestamp, generation, resourceVersion }).filter(([, value]) => value !== undefined),
  );
  const object = { ...resource.object, metadata: { ...resource.object.metadata, ...server } } as AnyResource;
  const { positions } = draft;
  const place = positions === null ? {} : { file: positions.file, line: positions.line };
  const origin = { kind: info.kind, namespace, name, ...place };
  const candidate: StoredResource = { object, origin, layer: 'api', positions };
  const world = overlayWorld(context.store.world, [{ kind: info.id, resource: candidate }]);
  const found = [
    ...issues,
    ...overlayFound(context, info.id, candidate),
    ...checkOne(info.id, namespace, name, world, context.checkContext()),
  ];
  return jsonReply(
    current === null ? 201 : 200,
    servedObject(context, info, target.version, candidate),
    warningHeaders(found),
  );
}

/** DELETE of one resource. */
export async function deleteResource(
  context: ResourceContext,
  target: ResourcePath,
  request: ApiRequest,
): Promise<Reply> {
  const body = await request.readBody();
  if (body.refusal !== null) return body.refusal;
  const { info } = target;
  const [namespace, name] = [target.namespace ?? '', target.name ?? ''];
  const current = context.store.get(info.id, namespace, name);
  if (current === null) {
    const isImplied =
      info.id === 'Namespace' && impliedNamespaces(context).some(({ object }) => object.metadata.name === name);
    return isImplied
      ? failure('Conflict', `Namespace "${name}" is there as long as something is in it; remove that instead.`)
      : notFound(target);
  }
  const preconditions = isMapping(body.value) && isMapping(body.value.preconditions) ? body.value.preconditions : {};
  const { uid, resourceVersion } = current.object.metadata;
  const isStale =
    (preconditions.uid ?? uid) !== uid || (preconditions.resourceVersion ?? resourceVersion) !== resourceVersion;
  if (isStale)
    return failure('Conflict', `${info.kind} "${name}" is not the one that was to be deleted.`, {
      name,
      group: info.group,
      kind: info.plural,
    });
  if (current.layer === 'file') return inFileReply(target, current);
  const isDryRun =
    request.query.getAll('dryRun').includes('All') ||
    (isMapping(body.value) && Array.isArray(body.value.dryRun) && body.value.dryRun.includes('All'));
  if (!isDryRun) {
    const result = await context.store.delete(info.id, namespace, name, resourceVersion);
    if (result.type === 'missing') return notFound(target);
    if (result.type === 'conflict')
      return failure('Conflict', `${info.kind} "${name}" was changed in between; try again.`);
    if (result.type === 'in-file') return inFileReply(target, result.resource);
  }
  const below = context.store.fileBelow(info.id, namespace, name);
  const details = { name, group: info.group, kind: info.plural, uid };
  const headers =
    below === null
      ? {}
      : {
          warning: [
            `299 weft "${escapeWarning(`${info.kind} ${name} is declared in ${below.origin.file ?? 'a file'} too, which is in effect again`)}"`,
          ],
        };
  return jsonReply(200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }, headers);
}

function inFileReply(target: ResourcePath, resource: StoredResource): Reply {
  const { info, name } = target;
  const { file, line } = resource.origin;
  const place = file === undefined ? 'a file' : `${file}${line === undefined ? '' : `:${line}`}`;
  return failure('Conflict', `${info.kind} "${name}" is declared in ${place}; remove it there.`, {
    name: name ?? '',
    group: info.group,
    kind: info.plural,
  });
}

function conflictReply(target: ResourcePath, name: string, draft: Draft, current: StoredResource | null): Reply {
  const { info } = target;
  const full = info.group === '' ? info.plural : `${info.plural}.${info.group}`;
  const details = { name, group: info.group, kind: info.plural };
  if (draft.expect === 'absent') return failure('AlreadyExists', `${full} "${name}" already exists`, details);
  if (current === null) return notFound(target);
  const message = `Operation cannot be fulfilled on ${full} "${name}": the object has been modified; please apply your changes to the latest version and try again`;
  return failure('Conflict', message, details);
}

/** Why the body is not what the path names, or null. */
function mismatchOf(target: ResourcePath, resource: ParsedResource): string | null {
  if (resource.info.id !== target.info.id)
    return `The body is a ${resource.info.kind}, the path is of ${target.info.plural}.`;
  if (target.name !== null && target.name !== resource.name)
    return `The body has the name "${resource.name}", the path "${target.name}".`;
  if (target.info.namespaced && target.namespace !== resource.namespace) {
    return `The body is in namespace "${resource.namespace}", the path in "${target.namespace ?? ''}".`;
  }
  return null;
}

/** A write of the resource itself leaves its status alone. */
function withOldStatus(current: StoredResource | null, value: unknown): unknown {
  if (current === null || !isMapping(value)) return value;
  const { status: _, ...rest } = value;
  return current.object.status === undefined ? rest : { ...rest, status: current.object.status };
}

/** A write of the status leaves the resource alone. */
function withNewStatus(current: StoredResource | null, value: unknown): unknown {
  if (current === null || !isMapping(value)) return value;
  const { status: _, ...rest } = current.object;
  return value.status === undefined ? rest : { ...rest, status: value.status };
}

function withGeneratedName(value: unknown): unknown {
  if (!isMapping(value) || !isMapping(value.metadata) || value.metadata.name !== undefined) return value;
  const { generateName } = value.metadata;
  if (typeof generateName !== 'string' || generateName === '') return value;
  return {
    ...value,
    metadata: { ...value.metadata, name: `${generateName}${randomBytes(4).toString('hex').slice(0, 5)}` },
  };
}

function versionOf(value: unknown): string | null {
  if (!isMapping(value) || !isMapping(value.metadata)) return null;
  const { resourceVersion } = value.metadata;
  return typeof resourceVersion === 'string' && resourceVersion !== '' ? resourceVersion : null;
}

function nameOf(value: unknown): string {
  return isMapping(value) && isMapping(value.metadata) && typeof value.metadata.name === 'string'
    ? value.metadata.name
    : '';
}
