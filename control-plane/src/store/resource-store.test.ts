// The store's verbs, layers, history and worlds, without a disk.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyResource } from '@weft/api/resource/kind';
import { PausedClock } from '@weft/lib/clock';
import { parseResource } from '../resource/parse-resource.ts';
import type { StoreEvent } from './history.ts';
import { memoryPersistence } from './persistence.ts';
import { ResourceStore } from './resource-store.ts';
import type { World } from './world.ts';

function service(name: string, port = 80, extra: object = {}): AnyResource {
  const value = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', ...extra },
    spec: { ports: [{ port }] },
  };
  return parsed(value).object;
}

function parsed(value: unknown, file?: string) {
  const positions = file === undefined ? null : { file, line: 1, fields: {} };
  const { resource, issues } = parseResource(value, { positions, defaultNamespace: 'default' });
  assert.ok(resource !== null, JSON.stringify(issues));
  return resource;
}

function fileService(name: string, port: number) {
  return parsed({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port }] } }, 'mesh.yaml');
}

function portOf(resource: { object: AnyResource } | null | undefined): number | undefined {
  return resource?.object.kind === 'Service' ? resource.object.spec.ports?.[0]?.port : undefined;
}

function openStore(options: { historyLimit?: number; quietMs?: number } = {}) {
  const clock = new PausedClock();
  const delay = { quietMs: options.quietMs ?? 0, maxWaitMs: 1000 };
  const historyLimit = options.historyLimit ?? 100;
  return { clock, store: new ResourceStore({ persistence: memoryPersistence, clock, delay, historyLimit }) };
}

const put = (store: ResourceStore, object: AnyResource) => store.put({ kind: 'Service', object, positions: null });

describe('ResourceStore', () => {
  it('gives a new object uid, generation, version and creation time', async () => {
    const { store } = openStore();
    const result = await put(store, service('a', 80, { uid: 'mine', resourceVersion: '77', generation: 9 }));
    assert.equal(result.type, 'created');
    const { metadata } = store.get('Service', 'default', 'a')?.object ?? {};
    assert.equal(metadata?.generation, 1);
    assert.equal(metadata?.resourceVersion, '1');
    assert.equal(metadata?.creationTimestamp, '2026-01-01T00:00:00Z');
    assert.match(metadata?.uid ?? '', /^[0-9a-f-]{36}$/);
  });

  it('raises the generation with the spec and not with labels', async () => {
    const { store } = openStore();
    await put(store, service('a'));
    await put(store, service('a', 80, { labels: { x: 'y' } }));
    assert.equal(store.get('Service', 'default', 'a')?.object.metadata.generation, 1);
    await put(store, service('a', 81));
    const { metadata } = store.get('Service', 'default', 'a')?.object ?? {};
    assert.equal(metadata?.generation, 2);
    assert.equal(metadata?.resourceVersion, '3');
  });

  it('changes nothing when the same is written again', async () => {
    const { store } = openStore();
    await put(store, service('a'));
    assert.equal((await put(store, service('a'))).type, 'unchanged');
    assert.equal(store.revision, 1);
  });

  it('refuses a write by a version that is no longer current, and a creation of what exists', async () => {
    const { store } = openStore();
    await put(store, service('a'));
    await put(store, service('a', 81));
    const stale = await store.put({
      kind: 'Service',
      object: service('a', 82),
      positions: null,
      expect: { version: '1' },
    });
    assert.equal(stale.type, 'conflict');
    const again = await store.put({ kind: 'Service', object: service('a', 82), positions: null, expect: 'absent' });
    assert.equal(again.type, 'conflict');
    assert.equal(portOf(store.get('Service', 'default', 'a')), 81);
    const current = await store.put({
      kind: 'Service',
      object: service('a', 82),
      positions: null,
      expect: { version: '2' },
    });
    assert.equal(current.type, 'updated');
  });

  it('gives out frozen objects', async () => {
    const { store } = openStore();
    await put(store, service('a'));
    const object = store.get('Service', 'default', 'a')?.object;
    assert.ok(Object.isFrozen(object) && Object.isFrozen(object?.spec.ports?.[0]));
  });

  it('lays an API write over the file of the same name and shows the file again when it is deleted', async () => {
    const { store } = openStore();
    store.replaceFiles([fileService('a', 80)]);
    const uid = store.get('Service', 'default', 'a')?.object.metadata.uid;
    await put(store, service('a', 90));
    assert.equal(portOf(store.get('Service', 'default', 'a')), 90);
    assert.equal(store.get('Service', 'default', 'a')?.layer, 'api');
    assert.deepEqual(
      store.overlays().map((each) => [portOf(each.file), portOf(each.api)]),
      [[80, 90]],
    );
    store.replaceFiles([fileService('a', 81)]);
    assert.equal(portOf(store.get('Service', 'default', 'a')), 90);
    const events: StoreEvent[] = [];
    store.watch(undefined, (event) => events.push(event));
    const result = await store.delete('Service', 'default', 'a');
    assert.equal(result.type, 'deleted');
    const restored = store.get('Service', 'default', 'a');
    assert.equal(portOf(restored), 81);
    assert.notEqual(restored?.object.metadata.uid, uid, 'the file is another object');
    assert.equal(restored?.object.metadata.generation, 1);
    assert.equal(result.type === 'deleted' && result.resource.object.metadata.uid, uid);
    assert.deepEqual(
      events.map((event) => [event.type, portOf(event.resource)]),
      [
        ['DELETED', 90],
        ['ADDED', 81],
      ],
    );
    assert.equal(events[1]?.resource.object.metadata.resourceVersion, String(events[1]?.revision));
  });

  it('leaves a file as old as it was when an API write above it goes', async () => {
    const { clock, store } = openStore();
    store.replaceFiles([fileService('a', 80)]);
    clock.advance(60_000);
    await put(store, service('a', 81));
    clock.advance(60_000);
    await store.delete('Service', 'default', 'a');
    assert.equal(store.get('Service', 'default', 'a')?.object.metadata.creationTimestamp, '2026-01-01T00:00:00Z');
  });

  it('keeps a status beside the file, which goes on deciding the rest', async () => {
    const { store } = openStore();
    store.replaceFiles([fileService('a', 80)]);
    const uid = store.get('Service', 'default', 'a')?.object.metadata.uid;
    const withStatus = { ...service('a', 80), status: { loadBalancer: {} } } as AnyResource;
    assert.equal((await put(store, withStatus)).type, 'updated');
    assert.deepEqual(store.overlays(), []);
    assert.equal((await put(store, withStatus)).type, 'unchanged');
    store.replaceFiles([fileService('a', 81)]);
    const { object, layer } = store.get('Service', 'default', 'a') ?? assert.fail();
    assert.deepEqual([portOf({ object }), layer, object.status], [81, 'file', { loadBalancer: {} }]);
    assert.deepEqual([object.metadata.uid, object.metadata.generation], [uid, 2]);
  });

  it('makes no overlay of what the file says, and ends one by it', async () => {
    const { store } = openStore();
    store.replaceFiles([fileService('a', 80)]);
    const applied = { 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
    assert.equal((await put(store, service('a', 80, { labels: {}, annotations: applied }))).type, 'unchanged');
    await put(store, service('a', 90));
    const events: StoreEvent[] = [];
    store.watch(undefined, (event) => events.push(event));
    assert.equal((await put(store, service('a', 80))).type, 'updated');
    assert.deepEqual(store.overlays(), []);
    store.replaceFiles([fileService('a', 81)]);
    assert.equal(portOf(store.get('Service', 'default', 'a')), 81);
    assert.deepEqual(
      events.map(({ type, resource, revision }) => [
        type,
        portOf(resource),
        resource.object.metadata.resourceVersion,
        revision,
      ]),
      [
        ['MODIFIED', 80, '4', 4],
        ['MODIFIED', 81, '5', 5],
      ],
    );
  });

  it('ends an overlay when the file says the same by now', async () => {
    const { store } = openStore();
    store.replaceFiles([fileService('a', 80)]);
    await put(store, service('a', 90));
    const { uid } = store.get('Service', 'default', 'a')?.object.metadata ?? {};
    store.replaceFiles([fileService('a', 90)]);
    assert.deepEqual(store.overlays(), []);
    assert.equal(store.get('Service', 'default', 'a')?.object.metadata.uid, uid);
    store.replaceFiles([fileService('a', 91)]);
    assert.equal(portOf(store.get('Service', 'default', 'a')), 91);
  });

  it('does not delete what only a file declares', async () => {
    const { store } = openStore();
    store.replaceFiles([fileService('a', 80)]);
    assert.equal((await store.delete('Service', 'default', 'a')).type, 'in-file');
    assert.ok(store.get('Service', 'default', 'a'));
  });

  it('touches only the files that changed', () => {
    const { store } = openStore();
    store.replaceFiles([fileService('a', 80), fileService('b', 80)]);
    const before = store.get('Service', 'default', 'a');
    const events: StoreEvent[] = [];
    store.watch(undefined, (event) => events.push(event));
    store.replaceFiles([fileService('a', 80), fileService('c', 80)]);
    assert.equal(store.get('Service', 'default', 'a'), before);
    assert.deepEqual(
      events.map((event) => `${event.type} ${event.resource.object.metadata.name}`),
      ['DELETED b', 'ADDED c'],
    );
  });

  it('tells a watcher what it missed, in order and once', async () => {
    const { store } = openStore();
    await put(store, service('a'));
    const { version } = store.list('Service');
    await put(store, service('b'));
    await store.delete('Service', 'default', 'a');
    const seen: string[] = [];
    const watch = store.watch(version, (event) =>
      seen.push(`${event.type} ${event.resource.object.metadata.name} ${event.revision}`),
    );
    await put(store, service('c'));
    watch?.close();
    await put(store, service('d'));
    assert.deepEqual(seen, ['ADDED b 2', 'DELETED a 3', 'ADDED c 4']);
  });

  it('sends a watcher back to list when its version is forgotten, from the future or no version', async () => {
    const { store } = openStore({ historyLimit: 3 });
    for (let i = 0; i < 8; i++) await put(store, service('a', 80 + i));
    assert.equal(
      store.watch('1', () => {}),
      null,
    );
    assert.equal(
      store.watch('99', () => {}),
      null,
    );
    assert.equal(
      store.watch('x', () => {}),
      null,
    );
    assert.ok(store.watch('7', () => {}));
  });

  it('publishes a world after a quiet moment, and at the latest after the longest wait', async () => {
    const { store, clock } = openStore({ quietMs: 100 });
    const worlds: World[] = [];
    store.onWorld((world) => worlds.push(world));
    await put(store, service('a'));
    clock.advance(60);
    await put(store, service('b'));
    clock.advance(60);
    assert.equal(worlds.length, 0);
    clock.advance(60);
    assert.deepEqual(
      worlds.map((world) => world.revision),
      [2],
    );
    for (let i = 0; i < 30; i++) {
      await put(store, service('c', 100 + i));
      clock.advance(50);
    }
    assert.ok(worlds.length >= 2, 'an unquiet store publishes as well');
  });

  it('keeps an old world as it was', async () => {
    const { store } = openStore();
    await put(store, service('a', 80));
    const old = store.world;
    await put(store, service('a', 81));
    await put(store, service('b', 80));
    assert.equal(portOf(old.get('Service', 'default', 'a')), 80);
    assert.equal(old.list('Service').length, 1);
    assert.deepEqual(store.world.list('Service').map(portOf), [81, 80]);
  });

  it('keeps nothing when it could not be written down', async () => {
    const persistence = {
      ...memoryPersistence,
      write: () => {
        throw new Error('disk full');
      },
    };
    const store = new ResourceStore({ persistence, clock: new PausedClock() });
    await assert.rejects(put(store, service('a')), /disk full/);
    assert.equal(store.get('Service', 'default', 'a'), null);
    assert.equal(store.revision, 0);
  });
});
