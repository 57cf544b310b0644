import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { packAny } from '@weft/lib/protobuf/codec';
import type { ReceivedUpdate } from './received.ts';
import { ResourceChannel } from './resource-channel.ts';
import { kindSpecs } from './resource-kind.ts';

function update(version: string, ...names: string[]): ReceivedUpdate {
  const resources = names.map((name) => ({
    name,
    version: '1',
    resource: packAny('envoy.config.listener.v3.Listener', { name }),
    ttlMs: 0,
  }));
  return { version, resources, removed: [], isFull: false };
}

test('what goes and comes again unchanged within a turn does not leave', () => {
  const spec = kindSpecs.find(({ kind }) => kind === 'listener');
  assert.ok(spec !== undefined);
  const told: (readonly string[])[] = [];
  const target = {
    prepare: (_set: unknown, _remove: unknown, _version: unknown, leaving: readonly string[]) => {
      told.push(leaving);
      return { issues: [], commit: () => {} };
    },
  };
  const channel = new ResourceChannel(spec, target, new PausedClock(), null);
  channel.check(update('1', 'a', 'b'), []).commit();
  channel.check(update('2', 'a', 'c'), ['a', 'b']);
  assert.deepEqual(told, [[], ['b']]);
});
