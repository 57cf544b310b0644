// Watching resources: one JSON event a line, bookmarks now and then, an end when the client is too slow or too long gone.

import type { ServerResponse } from 'node:http';
import { type AnyResource, apiVersionOf, type KindInfo } from '@weft/api/resource/kind';
import type { Clock, Timer } from '@weft/lib/clock';
import type { StoreEvent } from '../store/history.ts';
import type { StoreWatch } from '../store/resource-store.ts';
import type { ApiRequest } from './api-request.ts';
import type { Predicate } from './query-selector.ts';
import { failure, type Reply } from './reply.ts';
import { type ResourceContext, selectionOf, servedObject, wantsTable } from './resource-context.ts';
import type { ResourcePath } from './resource-path.ts';
import { tableOf } from './table.ts';

/** A watch ends after this time at the latest, and its client comes back where it stopped. */
const longestMs = 30 * 60_000;
const bookmarkMs = 60_000;
/** Unsent bytes at which a client counts as too slow: it is cut off, and catches up or lists again. */
const maxUnsentBytes = 4 * 1024 * 1024;

/** GET with `watch`. */
export function watchResources(context: ResourceContext, target: ResourcePath, request: ApiRequest): Reply {
  const selection = selectionOf(request, target);
  if ('refusal' in selection) return selection.refusal;
  const asked = request.query.get('resourceVersion') ?? '';
  // Versions "" and "0" mean: from the present state, which is told first.
  const isFresh = asked === '' || asked === '0' || request.query.get('sendInitialEvents') === 'true';
  if (!isFresh && !context.store.canWatch(asked)) {
    const reply = failure('Expired', `too old resource version: ${asked} (${context.store.revision})`);
    return { ...reply, status: 410 };
  }
  const stream = (response: ServerResponse) => {
    const watch = new WatchStream(context, target, request, selection.matches, response);
    watch.start(isFresh ? null : asked);
    request.onClose(() => watch.close());
  };
  return { status: 200, headers: { 'content-type': 'application/json', 'cache-control': 'no-cache, private' }, stream };
}

class WatchStream {
  private readonly context: ResourceContext;
  private readonly info: KindInfo;
  private readonly version: string;
  private readonly matches: Predicate;
  private readonly response: ServerResponse;
  private readonly isTable: boolean;
  private readonly hasBookmarks: boolean;
  private readonly marksInitialEnd: boolean;
  private readonly endMs: number;
  /** Uids that the client has been told of: an object that stops matching is gone for it. */
  private readonly known: Set<string> = new Set();
  private watch: StoreWatch | null = null;
  private timer: Timer | null = null;
  private isClosed = false;

  constructor(
    context: ResourceContext,
    target: ResourcePath,
    request: ApiRequest,
    matches: Predicate,
    response: ServerResponse,
  ) {
    this.context = context;
    this.info = target.info;
    this.version = target.version;
    this.matches = matches;
    this.response = response;
    this.isTable = wantsTable(request);
    this.hasBookmarks = request.query.get('allowWatchBookmarks') === 'true';
    this.marksInitialEnd = request.query.get('sendInitialEvents') === 'true';
    const seconds = Number(request.query.get('timeoutSeconds') ?? 0);
    this.endMs = context.clock.now() + (seconds > 0 ? Math.min(seconds * 1000, longestMs) : longestMs);
  }

  /** `version` null: the present state first. */
  start(version: string | null): void {
    this.response.flushHeaders();
    const { items } = this.context.store.list(this.info.id);
    if (version === null) {
      for (const item of items)
        if (this.matches(item.object)) this.tell('ADDED', servedObject(this.context, this.info, this.version, item));
      if (this.marksInitialEnd) this.bookmark({ annotations: { 'k8s.io/initial-events-end': 'true' } });
    } else {
      // The client knows the state of its version; what it knows of today's objects is as good as it can be reconstructed.
      for (const item of items) this.known.add(item.object.metadata.uid ?? '');
    }
    this.watch = this.context.store.watch(version ?? undefined, (event) => this.onEvent(event));
    this.schedule();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.watch?.close();
    this.timer?.stop();
    this.response.end();
  }

  private onEvent(event: StoreEvent): void {
    if (event.kind !== this.info.id || this.isClosed) return;
    const { object } = event.resource;
    const uid = object.metadata.uid ?? '';
    const served = servedObject(this.context, this.info, this.version, event.resource);
    const isMatch = this.matches(object);
    if (event.type === 'DELETED' || !isMatch) {
      const wasKnown = this.known.delete(uid);
      if (isMatch || (wasKnown && event.type !== 'DELETED')) this.tell('DELETED', served);
      return;
    }
    this.tell(event.type === 'MODIFIED' && !this.known.has(uid) ? 'ADDED' : event.type, served);
  }

  private tell(type: string, object: AnyResource): void {
    if (type !== 'DELETED') this.known.add(object.metadata.uid ?? '');
    const { resourceVersion } = object.metadata;
    const shown = this.isTable
      ? tableOf(this.info, [object], { resourceVersion }, this.context.clock.wallMs())
      : object;
    this.send({ type, object: shown });
  }

  private bookmark(extra: object): void {
    const metadata = { resourceVersion: String(this.context.store.revision), creationTimestamp: null, ...extra };
    const object = { kind: this.info.kind, apiVersion: apiVersionOf(this.info, this.version), metadata };
    this.send({ type: 'BOOKMARK', object: this.isTable ? tableOf(this.info, [], metadata, 0) : object });
  }

  private send(event: object): void {
    if (this.isClosed) return;
    this.response.write(`${JSON.stringify(event)}\n`);
    if (this.response.writableLength > maxUnsentBytes) {
      this.close();
      this.response.destroy();
    }
  }

  private schedule(): void {
    const clock: Clock = this.context.clock;
    const leftMs = this.endMs - clock.now();
    this.timer = clock.start(
      Math.max(0, Math.min(bookmarkMs, leftMs)),
      (stream: WatchStream) => stream.onTimer(),
      this,
    );
  }

  private onTimer(): void {
    if (this.hasBookmarks) this.bookmark({});
    if (this.context.clock.now() >= this.endMs) this.close();
    else this.schedule();
  }
}
