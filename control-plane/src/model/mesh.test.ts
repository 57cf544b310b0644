import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource } from '@weft/api/resource/kind';
import { createWorld, type StoredResource, type World } from '../store/world.ts';
import { buildMesh, visibleServices } from './mesh.ts';
import { meshOf, resource } from './model-kit.ts';
import { defaultSettings } from './settings.ts';

const web = resource('Service', 'web', { ports: [{ name: 'http', port: 80 }], selector: { app: 'web' } });
const entry = (name: string, address: string, version = 'v1') =>
  resource('WorkloadEntry', name, { address, labels: { app: 'web', version } });

/** Worlds that share their resources, as those of a store do. */
const stored = new Map<AnyResource, StoredResource>();
function world(revision: number, ...objects: AnyResource[]): World {
  const content: Record<string, Map<string, StoredResource>> = {};
  for (const object of objects) {
    const { name, namespace = '' } = object.metadata;
    const known = stored.get(object) ?? {
      object,
      origin: { kind: object.kind, namespace, name },
      layer: 'file' as const,
      positions: null,
    };
    stored.set(object, known);
    content[object.kind] ??= new Map();
    content[object.kind]?.set(`${namespace}/${name}`, known);
  }
  return createWorld(revision, content as Parameters<typeof createWorld>[1]);
}

test('a change of endpoints alone keeps the revision of the configuration', () => {
  const a = entry('a', '10.0.0.1');
  const first = buildMesh(world(1, web, a));
  const more = buildMesh(world(2, web, a, entry('b', '10.0.0.2')), first.settings, first);
  assert.deepEqual([more.revision, more.configRevision], [2, 1]);
  assert.equal(more.services, first.services);
  const other = buildMesh(world(3, web, a, entry('b', '10.0.0.2', 'v2')), first.settings, more);
  assert.equal(other.configRevision, 3, 'another kind of endpoint may change clusters');
});

test('a change of anything else makes a new configuration, an unrelated one does not', () => {
  const a = entry('a', '10.0.0.1');
  const first = buildMesh(world(1, web, a));
  const process = resource('Process', 'x', { command: ['x'] });
  const unrelated = buildMesh(world(2, web, a, process), first.settings, first);
  assert.equal(unrelated.configRevision, 1);
  assert.equal(
    unrelated.endpoints.get('default/web.default.svc.cluster.local:80'),
    first.endpoints.get('default/web.default.svc.cluster.local:80'),
  );
  const rule = resource('DestinationRule', 'web', { host: 'web' });
  assert.equal(buildMesh(world(3, web, a, process, rule), first.settings, unrelated).configRevision, 3);
  assert.equal(buildMesh(world(4, web, a), { ...defaultSettings }, unrelated).configRevision, 4);
});

test("a caller sees one service per host, its own namespace's first", () => {
  const external = (place: string, exportTo?: string[]) =>
    resource('ServiceEntry', place, {
      hosts: ['api.example'],
      ports: [{ number: 80, name: 'http' }],
      ...(exportTo === undefined ? {} : { exportTo }),
    });
  const mesh = meshOf([external('a/api'), external('b/api'), external('c/api', ['.'])]);
  const seen = (namespace: string) => visibleServices(mesh, namespace).map((service) => service.namespace);
  assert.deepEqual([seen('a'), seen('b'), seen('c'), seen('d')], [['a'], ['b'], ['c'], ['a']]);
});

test('a Service wins over a ServiceEntry of the same host in its namespace, an older entry over a younger', () => {
  const host = 'web.default.svc.cluster.local';
  const rival = (name: string, createdAt: string, hosts = [host]) =>
    resource('ServiceEntry', name, { hosts, ports: [{ number: 81, name: 'http' }] }, { creationTimestamp: createdAt });
  const mesh = meshOf([rival('a', '2020'), web, rival('c', '2022', ['x.example']), rival('b', '2021', ['x.example'])]);
  const sources = mesh.services.map(({ host: name, origin }) => [name, origin.kind, origin.name]);
  assert.deepEqual(sources, [
    [host, 'Service', 'web'],
    ['x.example', 'ServiceEntry', 'b'],
  ]);
});
