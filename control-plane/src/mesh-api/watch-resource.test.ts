// Watching over real HTTP: what a client is told, and when it has to list again.

import assert from 'node:assert/strict';
import http, { type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import type { AnyResource } from '@weft/api/resource/kind';
import { startTestApi, type TestApi } from './test-api.ts';

interface WatchEvent {
  readonly type: string;
  readonly object: AnyResource;
}

/** A client of a watch that takes events one by one. */
class Watcher {
  private readonly response: IncomingMessage;
  private readonly lines: AsyncIterator<string>;

  constructor(response: IncomingMessage) {
    this.response = response;
    this.lines = createInterface({ input: response })[Symbol.asyncIterator]();
  }

  async next(): Promise<WatchEvent | null> {
    const line = await this.lines.next();
    return line.done === true ? null : JSON.parse(line.value);
  }

  async nextName(): Promise<string> {
    const event = await this.next();
    return event === null ? 'end' : `${event.type} ${event.object.metadata.name}`;
  }

  close(): void {
    this.response.destroy();
  }
}

describe('Mesh API: watches', () => {
  let api: TestApi;
  const watchers: Watcher[] = [];
  before(async () => {
    api = await startTestApi();
  });
  after(() => {
    for (const watcher of watchers) watcher.close();
    return api.close();
  });

  const put = (name: string, labels: Record<string, string> = {}) => {
    const object: AnyResource = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default', labels },
      spec: { ports: [{ port: 80 }] },
    };
    return api.store.put({ kind: 'Service', object, positions: null });
  };

  const watch = (query: string): Promise<Watcher> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: 'Bearer secret' };
      const path = `/api/v1/namespaces/default/services?watch=true&${query}`;
      http
        .get({ port: api.port, host: '127.0.0.1', path, headers }, (response) => {
          const watcher = new Watcher(response);
          watchers.push(watcher);
          resolve(watcher);
        })
        .on('error', reject);
    });

  it('begins with the present, then tells changes in order', async () => {
    await put('a');
    const watcher = await watch('');
    assert.equal(await watcher.nextName(), 'ADDED a');
    await put('b');
    await put('a', { x: 'y' });
    await api.store.delete('Service', 'default', 'b');
    assert.deepEqual(
      [await watcher.nextName(), await watcher.nextName(), await watcher.nextName()],
      ['ADDED b', 'MODIFIED a', 'DELETED b'],
    );
  });

  it('continues after a version without telling it again', async () => {
    const { json } = await api.call('/api/v1/namespaces/default/services');
    await put('later');
    const watcher = await watch(`resourceVersion=${json.metadata.resourceVersion}`);
    assert.equal(await watcher.nextName(), 'ADDED later');
  });

  it('takes an object that stops fitting the selector for deleted, and one that begins to for added', async () => {
    await put('picked', { team: 'x' });
    const watcher = await watch('labelSelector=team%3Dx');
    assert.equal(await watcher.nextName(), 'ADDED picked');
    await put('picked', { team: 'y' });
    assert.equal(await watcher.nextName(), 'DELETED picked');
    await put('picked', { team: 'x', more: 'z' });
    assert.equal(await watcher.nextName(), 'ADDED picked');
  });

  it('answers 410 for a version that is forgotten', async () => {
    for (let i = 0; i < 20; i++) await put('churn', { i: String(i) });
    const reply = await api.call('/api/v1/services?watch=true&resourceVersion=1');
    assert.deepEqual([reply.status, reply.json.reason], [410, 'Expired']);
  });

  it('marks the end of the first state and sends bookmarks when asked', async () => {
    const watcher = await watch(
      'allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3Dpicked',
    );
    assert.equal(await watcher.nextName(), 'ADDED picked');
    const end = await watcher.next();
    assert.equal(end?.type, 'BOOKMARK');
    assert.equal(end?.object.metadata.annotations?.['k8s.io/initial-events-end'], 'true');
    api.clock.advance(60_000);
    const bookmark = await watcher.next();
    assert.deepEqual(
      [bookmark?.type, bookmark?.object.metadata.resourceVersion],
      ['BOOKMARK', String(api.store.revision)],
    );
  });

  it('ends after the time the client allows', async () => {
    const watcher = await watch('timeoutSeconds=5&fieldSelector=metadata.name%3Dpicked');
    assert.equal(await watcher.nextName(), 'ADDED picked');
    api.clock.advance(5_100);
    assert.equal(await watcher.nextName(), 'end');
  });

  const megabyte = { note: 'x'.repeat(1024 * 1024) };
  const putLarge = (store: TestApi['store'], name: string, index = 0) => {
    const metadata = { name, namespace: 'default', annotations: megabyte, labels: { i: String(index) } };
    const object: AnyResource = { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } };
    return store.put({ kind: 'Service', object, positions: null });
  };

  it('tells a state and a past of any size, and news after them', async () => {
    for (const index of Array(7).keys()) await putLarge(api.store, `large-${index}`);
    const watcher = await watch('');
    const names = new Set<string>();
    await putLarge(api.store, 'large');
    await put('news', { i: '0' });
    while (!names.has('ADDED news') && !names.has('end')) names.add(await watcher.nextName());
    assert.ok(!names.has('end'), 'cut off in the middle');
    assert.deepEqual([...names].filter((name) => name.includes('large-')).length, 7);
    const past = await watch(`resourceVersion=${api.store.revision - 5}`);
    assert.deepEqual(
      [await past.nextName(), await past.nextName(), await past.nextName(), await past.nextName()],
      ['ADDED large-4', 'ADDED large-5', 'ADDED large-6', 'ADDED large'],
    );
  });

  it('cuts off a client that does not read, and leaves no watch of a client that went', async () => {
    const other = await startTestApi();
    const open = new Set<object>();
    let tellClosed = () => {};
    const watchStore = other.store.watch.bind(other.store);
    other.store.watch = (version, listener) => {
      const watching = watchStore(version, listener);
      assert.ok(watching !== null);
      open.add(watching);
      return {
        close: () => {
          watching.close();
          open.delete(watching);
          tellClosed();
        },
      };
    };
    const connect = () =>
      new Promise<IncomingMessage>((resolve) => {
        const headers = { authorization: 'Bearer secret' };
        http.get({ port: other.port, host: '127.0.0.1', path: '/api/v1/services?watch=1', headers }, (response) =>
          resolve(response.on('error', () => {})),
        );
      });
    const deaf = await connect();
    for (let index = 0; index < 60 && open.size > 0; index++) await putLarge(other.store, `large-${index % 7}`, index);
    assert.equal(open.size, 0, 'news waited without bound');
    deaf.destroy();
    const leaving = await connect();
    assert.equal(open.size, 1);
    const closed = new Promise<void>((resolve) => {
      tellClosed = resolve;
    });
    leaving.destroy();
    await closed;
    assert.equal(open.size, 0);
    await other.close();
  });

  it('ends when the API closes', async () => {
    const other = await startTestApi();
    await other.store.put({
      kind: 'Service',
      object: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'z', namespace: 'default' }, spec: {} },
      positions: null,
    });
    const response = await new Promise<IncomingMessage>((resolve) => {
      http.get(
        {
          port: other.port,
          host: '127.0.0.1',
          path: '/api/v1/services?watch=1',
          headers: { authorization: 'Bearer secret' },
        },
        resolve,
      );
    });
    response.on('error', () => {});
    const ended = new Promise((resolve) => response.once('close', resolve));
    response.resume();
    await other.close();
    await ended;
  });
});
