import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meshOf, resource } from '../../model/model-kit.ts';
import { reachOf } from '../reach.ts';
import { portRoutes } from './port-routes.ts';

test('hosts that only a VirtualService knows may be more than a function has arguments', () => {
  const hosts = Array.from({ length: 150_000 }, (_, index) => `a${index}.example`);
  const spec = { hosts, http: [{ route: [{ destination: { host: 'a0.example' } }] }] };
  const reach = reachOf(meshOf([resource('VirtualService', 'many', spec)]), { namespace: 'default', labels: {} });
  assert.equal(portRoutes(80, [], true, reach).virtualHosts?.length, hosts.length + 1);
});
