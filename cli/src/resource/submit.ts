// Writes resources to the mesh API: all are tried as a dry run first, so that one mistake leaves the mesh as it was.
import type { KindInfo } from '@weft/api/resource/kind';
import { kinds } from '@weft/api/resource/kind';
import type { Issue } from '@weft/lib/issue';
import { ApiError, type ApiObject, type MeshApiClient, pathOf } from '@weft/local/mesh-api/client';
import type { SourcedResource } from './load.ts';
import { requestBody } from './request-body.ts';

/** What became of one resource. */
export interface Submitted {
  readonly resource: SourcedResource;
  readonly outcome: 'created' | 'configured' | 'unchanged';
  /** Revision of the mesh that holds it; null where nothing was written. */
  readonly revision: number | null;
  readonly warnings: readonly string[];
}

/** Nothing was written: what the mesh API found. */
export interface Refused {
  readonly issues: readonly Issue[];
}

/** Where to. */
export interface Target {
  readonly client: MeshApiClient;
  /** That relative file names start from. */
  readonly workingFolder: string;
}

/** Tries all, then writes all unless `isDryRun`. */
export async function submitResources(
  target: Target,
  resources: readonly SourcedResource[],
  isDryRun: boolean,
): Promise<readonly Submitted[] | Refused> {
  const ordered = [...resources].sort((a, b) => rankOf(a.info) - rankOf(b.info));
  const tried: Submitted[] = [];
  const refusals: Issue[] = [];
  for (const resource of ordered) {
    try {
      tried.push(await submit(target, resource, true));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refusals.push(...refusalIssues(error, resource));
    }
  }
  if (refusals.length > 0) return { issues: refusals };
  if (isDryRun) return tried;
  const written: Submitted[] = [];
  for (const resource of ordered) written.push(await submit(target, resource, false));
  return written;
}

/** Routes last: they point at subsets and gateways of the same batch. */
function rankOf(info: KindInfo): number {
  return info.id === 'VirtualService' ? kinds.length : kinds.indexOf(info);
}

async function submit(target: Target, resource: SourcedResource, isDryRun: boolean): Promise<Submitted> {
  const { client, workingFolder } = target;
  const { info, namespace, name } = resource;
  const existing = await client.get(info, namespace || null, name);
  if (existing !== null && isSame(existing, resource.object as unknown as ApiObject)) {
    return { resource, outcome: 'unchanged', revision: null, warnings: [] };
  }
  const { body, contentType, headers, version } = requestBody(resource, workingFolder);
  const path = pathOf(info, namespace || null, existing === null ? undefined : name, version);
  const answer = await client.exchange(`${path}?fieldManager=weft${isDryRun ? '&dryRun=All' : ''}`, {
    method: existing === null ? 'POST' : 'PUT',
    body,
    contentType,
    headers,
  });
  const outcome = existing === null ? 'created' : 'configured';
  return { resource, outcome, revision: revisionIn(answer.body), warnings: answer.warnings };
}

/** The server's own fields and the status say nothing about what a person wants. */
function isSame(existing: ApiObject, wanted: ApiObject): boolean {
  return canonical(existing) === canonical(wanted);
}

function canonical(object: ApiObject): string {
  const { status: _status, metadata, ...rest } = object;
  const { name, namespace, labels = {}, annotations = {} } = metadata;
  return JSON.stringify(sortKeys({ ...rest, metadata: { name, namespace, labels, annotations } }));
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, sortKeys(member)]),
  );
}

function revisionIn(answer: unknown): number | null {
  const version = (answer as ApiObject | undefined)?.metadata?.resourceVersion;
  const revision = Number(version);
  return version !== undefined && Number.isSafeInteger(revision) ? revision : null;
}

/** The issues in the Status that the API answered with, else its message as one. */
function refusalIssues(error: ApiError, resource: SourcedResource): Issue[] {
  const issues = (error.body as { issues?: Issue[] } | undefined)?.issues;
  if (Array.isArray(issues) && issues.length > 0) return issues;
  const { info, namespace, name, positions } = resource;
  const place = positions === null ? {} : { file: positions.file, line: positions.line };
  return [
    {
      code: error.code,
      level: 'error',
      message: error.message,
      origin: { kind: info.kind, namespace, name, ...place },
    },
  ];
}
