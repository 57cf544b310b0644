// Watching resources: one JSON event a line, bookmarks now and then, an end when the client is too slow or too long gone.

import type { ServerResponse } from 'node:http';
import { apiVersionOf, type KindInfo } from '@weft/api/resource/kind';
import type { Clock, Timer } from '@weft/lib/clock';
import type { StoreEvent } from '../store/history.ts';
import type { StoreWatch } from '../store/resource-store.ts';
import type { StoredResource } from '../store/world.ts';
import type { ApiRequest } from './api-request.ts';
import type { Predicate } from './query-selector.ts';
import { failure, type Reply } from './reply.ts';
import { type ResourceContext, selectionOf, servedObject, wantsTable } from './resource-context.ts';
import type { ResourcePath } from './resource-path.ts';
import { tableOf } from './table.ts';

/** A watch ends after this time at the latest, and its client comes back where it stopped. */
const longestMs = 30 * 60_000;
const bookmarkMs = 60_000;
/** Bytes of news that wait for a client at which it counts as too slow: it is cut off, and catches up or lists again. */
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
    request.onClose(() => watch.close());
    watch.start(isFresh ? null : asked);
  };
  return { status: 200, headers: { 'content-type': 'application/json', 'cache-control': 'no-cache, private' }, stream };
}

/** Lines in order, as fast as the client reads them. What it cannot take yet waits here. */
class PacedLines {
  private readonly response: ServerResponse;
  /** Lines that go next, the last one first, and lines behind all of those. */
  private leaving: (string | (() => string))[] = [];
  private arriving: (string | (() => string))[] = [];
  private waitingBytes = 0;
  private isStalled = false;

  constructor(response: ServerResponse) {
    this.response = response;
    response.on('drain', () => {
      this.isStalled = false;
      this.flow();
    });
  }

  /** Takes a line that is made when its turn comes, after the next call of `flow`. */
  addLater(make: () => string): void {
    this.arriving.push(make);
  }

  /** Takes a line. Gives back whether the client is in time. */
  add(line: string): boolean {
    this.waitingBytes += line.length;
    this.arriving.push(line);
    this.flow();
    return this.waitingBytes <= maxUnsentBytes;
  }

  flow(): void {
    while (!this.isStalled && this.response.writable) {
      const line = this.take();
      if (line === undefined) return;
      this.isStalled = !this.response.write(typeof line === 'string' ? line : line());
    }
  }

  private take(): string | (() => string) | undefined {
    if (this.leaving.length === 0) {
      this.leaving = this.arriving.reverse();
      this.arriving = [];
    }
    const line = this.leaving.pop();
    if (typeof line === 'string') this.waitingBytes -= line.length;
    return line;
  }
}

class WatchStream {
  private readonly context: ResourceContext;
  private readonly info: KindInfo;
  private readonly version: string;
  private readonly matches: Predicate;
  private readonly response: ServerResponse;
  private readonly lines: PacedLines;
  private readonly isTable: boolean;
  private readonly hasBookmarks: boolean;
  private readonly marksInitialEnd: boolean;
  private readonly endMs: number;
  /** Uids that the client has been told of: an object that stops matching is gone for it. */
  private readonly known: Set<string> = new Set();
  private watch: StoreWatch | null = null;
  private timer: Timer | null = null;
  private isStarted = false;
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
    this.lines = new PacedLines(response);
    this.isTable = wantsTable(request);
    this.hasBookmarks = request.query.get('allowWatchBookmarks') === 'true';
    this.marksInitialEnd = request.query.get('sendInitialEvents') === 'true';
    const seconds = Number(request.query.get('timeoutSeconds') ?? 0);
    this.endMs = context.clock.now() + (seconds > 0 ? Math.min(seconds * 1000, longestMs) : longestMs);
  }

  /**
   * `version` null: the present state first. The state and what is past may be any amount, hence it is made line by line as the
   * client reads, while news wait behind it.
   */
  start(version: string | null): void {
    if (this.isClosed) return;
    this.response.flushHeaders();
    const { items } = this.context.store.list(this.info.id);
    if (version === null) {
      for (const item of items) if (this.matches(item.object)) this.tell('ADDED', item);
    } else {
      // The client knows the state of its version; what it knows of today's objects is as good as it can be reconstructed.
      for (const item of items) this.known.add(item.object.metadata.uid ?? '');
    }
    // This tells what is past, and nothing is sent before it returns: a stream that is closed watches nothing.
    this.watch = this.context.store.watch(version ?? undefined, (event) => this.onEvent(event));
    this.isStarted = true;
    this.schedule();
    if (version === null && this.marksInitialEnd) {
      this.bookmark({ annotations: { 'k8s.io/initial-events-end': 'true' } });
    }
    this.lines.flow();
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
    const isMatch = this.matches(object);
    if (event.type === 'DELETED' || !isMatch) {
      const wasKnown = this.known.delete(uid);
      if (isMatch || (wasKnown && event.type !== 'DELETED')) this.tell('DELETED', event.resource);
      return;
    }
    this.tell(event.type === 'MODIFIED' && !this.known.has(uid) ? 'ADDED' : event.type, event.resource);
  }

  private tell(type: string, resource: StoredResource): void {
    if (type !== 'DELETED') this.known.add(resource.object.metadata.uid ?? '');
    if (this.isStarted) this.send(this.lineOf(type, resource));
    else this.lines.addLater(() => this.lineOf(type, resource));
  }

  private lineOf(type: string, resource: StoredResource): string {
    const object = servedObject(this.context, this.info, this.version, resource);
    const { resourceVersion } = object.metadata;
    const shown = this.isTable
      ? tableOf(this.info, [object], { resourceVersion }, this.context.clock.wallMs())
      : object;
    return lineOf({ type, object: shown });
  }

  private bookmark(extra: object): void {
    const metadata = { resourceVersion: String(this.context.store.revision), creationTimestamp: null, ...extra };
    const object = { kind: this.info.kind, apiVersion: apiVersionOf(this.info, this.version), metadata };
    this.send(lineOf({ type: 'BOOKMARK', object: this.isTable ? tableOf(this.info, [], metadata, 0) : object }));
  }

  private send(line: string): void {
    if (this.isClosed || this.lines.add(line)) return;
    this.close();
    this.response.destroy();
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

function lineOf(event: object): string {
  return `${JSON.stringify(event)}\n`;
}
