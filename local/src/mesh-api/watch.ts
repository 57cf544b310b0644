// Follows one kind through the mesh API: a list, then changes, for ever; every break is mended by listing again.
import type { IncomingMessage } from 'node:http';
import type { KindInfo } from '@weft/api/resource/kind';
import { messageOf, WeftError } from '@weft/lib/error';
import { Backoff, Pause } from '../process/backoff.ts';
import { type ApiObject, type MeshApiClient, pathOf } from './client.ts';

/** The server sends bookmarks and ends a watch after its time; silence for longer than this is a dead connection. */
const silenceMs = 90_000;

/** What a watcher is told: always the whole set, by `namespace/name`. */
export type Objects = ReadonlyMap<string, ApiObject>;

/** `namespace/name` of an object. */
export function keyOf(object: ApiObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

/** A running watch. */
export class Watch {
  private readonly client: MeshApiClient;
  private readonly kind: KindInfo;
  private readonly onChange: (objects: Objects) => void;
  private readonly backoff: Backoff;
  private readonly pause = new Pause();
  private readonly objects = new Map<string, ApiObject>();
  private stream: IncomingMessage | null = null;
  private stopped = false;
  /** Why the watch is broken at the moment, or null. */
  problem: string | null = null;

  constructor(
    client: MeshApiClient,
    kind: KindInfo,
    onChange: (objects: Objects) => void,
    backoff: Backoff = new Backoff(),
  ) {
    this.backoff = backoff;
    this.client = client;
    this.kind = kind;
    this.onChange = onChange;
  }

  /** Lists and begins to watch; throws when the first list fails, mends itself afterwards. */
  async start(): Promise<void> {
    const version = await this.relist();
    void this.follow(version);
  }

  stop(): void {
    this.stopped = true;
    this.pause.end();
    this.stream?.destroy();
  }

  /** The mesh API is back: it need not wait to be asked again. */
  retry(): void {
    this.backoff.reset();
    this.pause.end();
  }

  private async relist(): Promise<string> {
    const list = await this.client.list(this.kind);
    this.objects.clear();
    for (const item of list.items) this.objects.set(keyOf(item), item);
    this.problem = null;
    if (!this.stopped) this.onChange(this.objects);
    return list.resourceVersion;
  }

  private async follow(firstVersion: string): Promise<void> {
    let version: string | null = firstVersion;
    while (!this.stopped) {
      const startedMs = performance.now();
      try {
        version = version === null ? await this.relist() : await this.readStream(version);
      } catch (error) {
        this.problem = messageOf(error);
        version = null;
      }
      if (!this.stopped && version === null) await this.pause.take(this.backoff.next(performance.now() - startedMs));
    }
  }

  /** Reads one watch to its end; the version to go on from, or null when the list has to be read again. */
  private async readStream(fromVersion: string): Promise<string | null> {
    const query = `?watch=true&allowWatchBookmarks=true&resourceVersion=${encodeURIComponent(fromVersion)}`;
    const stream = await this.client.open(`${pathOf(this.kind, null)}${query}`, { timeoutMs: silenceMs });
    this.stream = stream;
    if (this.stopped) stream.destroy();
    if (stream.statusCode !== 200) {
      stream.resume();
      throw new WeftError('WEFT0808', `the watch of ${this.kind.plural} was refused with status ${stream.statusCode}`);
    }
    let version: string | null = fromVersion;
    for await (const line of linesOf(stream)) {
      version = this.applyEvent(JSON.parse(line));
      if (version === null) break;
    }
    stream.destroy();
    return version;
  }

  private applyEvent(event: { type: string; object: ApiObject }): string | null {
    const { type, object } = event;
    // 410 Gone and every other error: the history we ask for is no longer there.
    if (type === 'ERROR') return null;
    if (type !== 'BOOKMARK') {
      if (type === 'DELETED') this.objects.delete(keyOf(object));
      else this.objects.set(keyOf(object), object);
      if (!this.stopped) this.onChange(this.objects);
    }
    return object.metadata.resourceVersion ?? null;
  }
}

/** The lines of a stream of JSON lines. */
export async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield line;
  }
}
