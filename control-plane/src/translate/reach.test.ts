import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meshOf, resource } from '../model/model-kit.ts';
import { reachOf } from './reach.ts';

const rule = { host: 'reviews', workloadSelector: { matchLabels: { app: 'shop' } } };
const mesh = meshOf([resource('DestinationRule', 'rule', rule)]);
const caller = (number: number) => ({ namespace: 'default', labels: { app: String(number) } });

test('is shared by callers of the same labels, and remembered for the latest labels only', () => {
  const first = reachOf(mesh, caller(0));
  const second = reachOf(mesh, caller(1));
  assert.notEqual(second, first);
  for (let number = 2; number < 200; number++) {
    reachOf(mesh, caller(number));
    assert.equal(reachOf(mesh, caller(0)), first, 'it is asked for all the time');
  }
  assert.notEqual(reachOf(mesh, caller(1)), second, 'it was not asked for since');
});

test('is shared by callers that differ in labels which nobody asks for', () => {
  const replica = (number: number) => ({ namespace: 'default', labels: { app: 'shop', 'pod-name': `shop-${number}` } });
  const first = reachOf(mesh, replica(0));
  assert.equal(reachOf(mesh, replica(1)), first);
  assert.notEqual(reachOf(mesh, { namespace: 'default', labels: { app: 'other' } }), first);
  assert.notEqual(reachOf(mesh, { namespace: 'other', labels: { app: 'shop' } }), first);
  const match = [{ sourceLabels: { version: 'v1' } }, { sourceLabels: { app: 'shop', zone: 'a' } }];
  const http = [{ match, route: [{ destination: { host: 'reviews' } }] }];
  const routed = meshOf([
    resource('DestinationRule', 'rule', rule),
    resource('VirtualService', 'reviews', { hosts: ['reviews'], http }),
  ]);
  const reachBy = (labels: Readonly<Record<string, string>>) => reachOf(routed, { namespace: 'default', labels });
  const reaches = [{}, { version: 'v1' }, { zone: 'a' }, { app: 'shop', zone: 'a' }, { app: 'shop' }].map(reachBy);
  assert.equal(new Set(reaches).size, reaches.length);
});
