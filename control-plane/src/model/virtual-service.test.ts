import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meshOf, resource } from './model-kit.ts';
import { findVirtualService } from './virtual-service.ts';

const vs = (place: string, spec: object, createdAt = '') =>
  resource('VirtualService', place, { http: [], ...spec }, { creationTimestamp: createdAt });
const find = (resources: ReturnType<typeof vs>[], host: string, viewer = 'default') =>
  findVirtualService(meshOf(resources).virtualServices, host, viewer)?.name;

test('short names mean services of the namespace of the VirtualService', () => {
  assert.equal(find([vs('shop/a', { hosts: ['web'] })], 'web.shop.svc.cluster.local'), 'a');
  assert.equal(find([vs('shop/a', { hosts: ['web'] })], 'web.default.svc.cluster.local'), undefined);
});

test('exact hosts come before wildcards, older ones before younger', () => {
  const wild = vs('a', { hosts: ['*.example'] });
  const older = vs('b', { hosts: ['web.example'] }, '2026-01-01');
  const younger = vs('a2', { hosts: ['web.example'] }, '2026-02-01');
  assert.equal(find([wild, younger, older], 'web.example'), 'b');
  assert.equal(find([wild, vs('c', { hosts: ['*'] })], 'x.example'), 'a');
});

test('only the mesh gateway concerns sidecars, and exportTo is kept', () => {
  assert.equal(find([vs('a', { hosts: ['web.example'], gateways: ['edge'] })], 'web.example'), undefined);
  assert.equal(find([vs('a', { hosts: ['web.example'], gateways: ['edge', 'mesh'] })], 'web.example'), 'a');
  assert.equal(find([vs('shop/a', { hosts: ['web.example'], exportTo: ['.'] })], 'web.example'), undefined);
});
