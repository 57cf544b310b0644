import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { startTestApi } from './mesh-api/test-api.ts';
import { meshRoutes } from './mesh-routes.ts';
import { memoryPersistence } from './store/persistence.ts';
import { ResourceStore } from './store/resource-store.ts';
import { AdsServer } from './xds/ads-server.ts';
import type { WaitOutcome } from './xds/push-wait.ts';

test('a wait for a revision ends with its client', async () => {
  const clock = new PausedClock();
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const ads = new AdsServer({ clock, log, identify: null });
  const waitForRevision = ads.waitForRevision.bind(ads);
  const begun = new Promise<{ outcome: Promise<WaitOutcome> }>((resolve) => {
    ads.waitForRevision = (...asked) => {
      const outcome = waitForRevision(...asked);
      resolve({ outcome });
      return outcome;
    };
  });
  const store = new ResourceStore({ persistence: memoryPersistence, clock });
  const routes = meshRoutes({ ads, store, issues: () => [], createToken: null });
  const api = await startTestApi({ routes });
  const path = '/weft/v1/wait?revision=99&timeout=10m';
  const headers = { authorization: 'Bearer secret' };
  const request = http.get({ port: api.port, host: '127.0.0.1', path, headers }).on('error', () => {});
  const { outcome } = await begun;
  request.destroy();
  assert.deepEqual(await outcome, { ready: [], missing: [] });
  await api.close();
  store.close();
});
