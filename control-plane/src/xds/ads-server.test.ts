import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '@weft/lib/clock';
import { encodeMessage } from '@weft/lib/protobuf/codec';
import { meshOf, resource } from '../model/model-kit.ts';
import { AdsServer } from './ads-server.ts';
import { typeUrls } from './resource-type.ts';

const log = { info: () => {}, warn: () => {}, error: () => {} };

test('proxies of one reach are told one after the other, so that what is made for one is there for the next', async () => {
  const ads = new AdsServer({ clock: systemClock, log, identify: null });
  const { StreamAggregatedResources: open } = ads.implementation;
  const told: string[] = [];
  for (const name of ['a1', 'b1', 'a2', 'b2']) {
    const call = Object.assign(new EventEmitter(), { write: () => told.push(name) });
    Reflect.apply(open as (call: object) => void, null, [call]);
    const node = {
      id: `sidecar~127.0.0.1~${name}.default~default.svc.cluster.local`,
      metadata: { LABELS: { app: name.slice(0, 1) } },
    };
    call.emit('data', encodeMessage('envoy.service.discovery.v3.DiscoveryRequest', { node, typeUrl: typeUrls.cds }));
  }
  const rule = { host: 'web', workloadSelector: { matchLabels: { app: 'a' } } };
  ads.setMesh(meshOf([resource('DestinationRule', 'rule', rule)]));
  await setImmediate();
  assert.deepEqual(told, ['a1', 'a2', 'b1', 'b2']);
});

test('the names that all streams of one identity ask for are bounded, and those of another are not counted with them', () => {
  const identify = (call: object) => ({ spiffeId: String(Reflect.get(call, 'peer')), expiresAt: null });
  const ads = new AdsServer({ clock: systemClock, log, identify, identityCharsMax: 1000 });
  const open = (peer: string) => {
    const call = Object.assign(new EventEmitter(), { peer, write: () => {}, refusal: '' });
    Reflect.apply(ads.implementation.StreamAggregatedResources as (call: object) => void, null, [call]);
    call.on('error', ({ details }) => {
      call.refusal = details;
    });
    const node = { id: 'sidecar~127.0.0.1~a.default~default.svc.cluster.local' };
    const resourceNames = ['x'.repeat(400)];
    const request = { node, typeUrl: typeUrls.rds, resourceNames };
    call.emit('data', encodeMessage('envoy.service.discovery.v3.DiscoveryRequest', request));
    return call;
  };
  const calls = ['one', 'one', 'other', 'one'].map(open);
  assert.deepEqual(
    calls.map(({ refusal }) => refusal.slice(0, 8)),
    ['', '', '', 'WEFT0605'],
  );
  calls[0]?.emit('close');
  assert.equal(open('one').refusal, '');
});
