import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meshOf, resource } from '../model/model-kit.ts';
import { reachOf } from './reach.ts';

const rule = { host: 'reviews', workloadSelector: { matchLabels: { app: 'shop' } } };
const mesh = meshOf([resource('DestinationRule', 'rule', rule)]);
const caller = (number: number) => ({ namespace: 'default', labels: { number: String(number) } });

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
