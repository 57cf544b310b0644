// PATCH: JSON merge patch, JSON patch, strategic merge patch, and server-side apply as create-or-merge.

import { apiVersionOf } from '@weft/api/resource/kind';
import type { ApiRequest, BodyResult } from './api-request.ts';
import { isMapping, jsonPatch, mergePatch, type PatchResult } from './json-patch.ts';
import { failure, type Reply } from './reply.ts';
import { notFound, type ResourceContext } from './resource-context.ts';
import type { ResourcePath } from './resource-path.ts';
import { strategicPatch } from './strategic-patch.ts';
import { type Draft, keepResource } from './write-resource.ts';

/** How often a patch without a version is tried again when somebody else writes in between. */
const maxAttempts = 5;

/** PATCH of one resource or of its status. */
export async function patchResource(
  context: ResourceContext,
  target: ResourcePath,
  request: ApiRequest,
): Promise<Reply> {
  const body = await request.readBody();
  if (body.refusal !== null) return body.refusal;
  let reply = await attempt(context, target, request, body);
  const hasVersion =
    isMapping(body.value) && isMapping(body.value.metadata) && body.value.metadata.resourceVersion !== undefined;
  for (let i = 1; i < maxAttempts && reply.status === 409 && !hasVersion; i++)
    reply = await attempt(context, target, request, body);
  return reply;
}

type Body = Extract<BodyResult, { refusal: null }>;

async function attempt(
  context: ResourceContext,
  target: ResourcePath,
  request: ApiRequest,
  body: Body,
): Promise<Reply> {
  const { info } = target;
  const current = context.store.get(info.id, target.namespace ?? '', target.name ?? '');
  const isApply = body.mediaType === 'application/apply-patch+yaml';
  if (current === null) {
    return isApply && !target.isStatus
      ? keepResource(context, target, request, { value: body.value, positions: body.positions, expect: 'absent' })
      : notFound(target);
  }
  const before = { ...current.object, apiVersion: apiVersionOf(info, target.version) };
  const patched = applyPatch(before, body);
  if ('problem' in patched)
    return failure(
      patched.problem.startsWith('type ') ? 'UnsupportedMediaType' : 'Invalid',
      `The patch cannot be applied: ${patched.problem}.`,
    );
  const version =
    isMapping(patched.value) && isMapping(patched.value.metadata) ? patched.value.metadata.resourceVersion : undefined;
  const draft: Draft = {
    value: restricted(before, patched.value, target.isStatus),
    // Lines of a file no longer fit once somebody else has changed the resource; its status and labels move no lines.
    positions: isApply ? body.positions : sameSpec(before, patched.value) ? current.positions : null,
    expect: { version: typeof version === 'string' ? version : (current.object.metadata.resourceVersion ?? '') },
  };
  return keepResource(context, target, request, draft);
}

function applyPatch(before: object, body: Body): PatchResult {
  switch (body.mediaType) {
    case 'application/merge-patch+json':
    case 'application/apply-patch+yaml':
      return isMapping(body.value)
        ? { value: mergePatch(before, body.value) }
        : { problem: 'a merge patch is a mapping' };
    case 'application/json-patch+json':
      return jsonPatch(before, body.value);
    case 'application/strategic-merge-patch+json':
      return isMapping(body.value)
        ? { value: strategicPatch(before, body.value) }
        : { problem: 'a merge patch is a mapping' };
    default:
      return { problem: `type ${body.mediaType} is no patch; use application/merge-patch+json` };
  }
}

/** A patch of the status changes nothing else, and any other patch not the status. */
function restricted(before: object, after: unknown, isStatus: boolean): unknown {
  if (!isMapping(after)) return after;
  const old: Record<string, unknown> = { ...before };
  const { status: _, ...rest } = isStatus ? old : after;
  const status = isStatus ? after.status : old.status;
  return status === undefined ? rest : { ...rest, status };
}

function sameSpec(before: object, after: unknown): boolean {
  const meaning = (value: unknown) => {
    const { metadata: _, status: __, ...rest } = isMapping(value) ? value : {};
    return JSON.stringify(rest);
  };
  return meaning(before) === meaning(after);
}
