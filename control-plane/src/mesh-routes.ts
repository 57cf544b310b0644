// Weft's own endpoints of the mesh API: proxies and what they have accepted, findings about the mesh, files under API writes, join tokens.

import { parseDurationMs } from '@weft/api/resource/duration';
import { messageOf } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';
import type { ApiRequest } from './mesh-api/api-request.ts';
import { failure, jsonReply, type Reply } from './mesh-api/reply.ts';
import type { Route } from './mesh-api/route.ts';
import type { ResourceStore } from './store/resource-store.ts';
import type { AdsServer } from './xds/ads-server.ts';
import type { ProxyStatus } from './xds/proxy-status.ts';

export interface MeshRouteParts {
  readonly ads: AdsServer;
  readonly store: ResourceStore;
  /** Findings about files and about how resources fit together, now. */
  readonly issues: () => readonly Issue[];
  /** Makes a join token; null where there is no certificate authority. */
  readonly createToken: ((identity: string, ttlMs?: number) => string) | null;
}

const defaultWaitMs = 30_000;
const maxWaitMs = 600_000;

export function meshRoutes(parts: MeshRouteParts): readonly Route[] {
  const { ads, store } = parts;
  const issues = () => jsonReply(200, { revision: store.revision, issues: parts.issues() });
  return [
    {
      method: 'GET',
      path: '/weft/v1/proxies',
      handle: () => jsonReply(200, { revision: store.revision, proxies: ads.statuses() }),
    },
    { method: 'GET', path: '/weft/v1/wait', handle: (request) => wait(request, parts) },
    { method: 'GET', path: '/weft/v1/issues', handle: issues },
    { method: 'GET', path: '/weft/v1/analyze', handle: issues },
    {
      method: 'GET',
      path: '/weft/v1/overlays',
      handle: () =>
        jsonReply(200, {
          overlays: store.overlays().map(({ file, api }) => ({ file: file.object, effective: api.object })),
        }),
    },
    { method: 'POST', path: '/weft/v1/join-tokens', handle: (request) => createToken(request, parts) },
  ];
}

/** `?revision=N&timeout=30s&proxy=ID`: answers when the proxies have taken the revision, have refused it, or time is up. */
async function wait({ query, onClose }: ApiRequest, { ads, store }: MeshRouteParts): Promise<Reply> {
  const revision = Number(query.get('revision') ?? store.revision);
  if (!Number.isSafeInteger(revision) || revision < 0) {
    return failure(
      'BadRequest',
      `revision=${query.get('revision')} is no revision; give the resourceVersion of a change.`,
    );
  }
  const timeoutMs = query.has('timeout') ? parseDurationMs(query.get('timeout') ?? '') : defaultWaitMs;
  if (timeoutMs === null || timeoutMs > maxWaitMs) {
    return failure('BadRequest', `timeout=${query.get('timeout')} is no duration up to 10m; write 30s, for instance.`);
  }
  const ids = query.getAll('proxy');
  const filter = (proxy: ProxyStatus) => ids.length === 0 || ids.includes(proxy.id);
  return jsonReply(200, { revision, ...(await ads.waitForRevision(revision, timeoutMs, filter, onClose)) });
}

/** Body `{ "identity": "spiffe://…", "ttl": "10m" }`. */
async function createToken(request: ApiRequest, { createToken: create }: MeshRouteParts): Promise<Reply> {
  if (create === null)
    return failure('NotFound', 'This control plane has no certificate authority, so there are no join tokens.');
  const body = await request.readBody();
  if (body.refusal !== null) return body.refusal;
  const identity = fieldOf(body.value, 'identity');
  const ttl = fieldOf(body.value, 'ttl');
  const ttlMs = ttl === null ? undefined : parseDurationMs(ttl);
  if (identity === null || ttlMs === null) {
    return failure(
      'BadRequest',
      'The body needs an identity such as spiffe://cluster.local/ns/default/sa/reviews, and may have a ttl such as 10m.',
    );
  }
  try {
    return jsonReply(201, { token: create(identity, ttlMs) });
  } catch (error) {
    return failure('BadRequest', messageOf(error));
  }
}

function fieldOf(body: unknown, name: string): string | null {
  if (typeof body !== 'object' || body === null) return null;
  const value: unknown = Object.entries(body).find(([key]) => key === name)?.[1];
  return typeof value === 'string' ? value : null;
}
