// What a host is ejected for, and what is not its fault.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until } from '../../kit/until.ts';
import { raw, type Step, stall, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy } from './fixture.ts';

const slow: Step = raw('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc');
const strict = { outlier_detection: { consecutive_5xx: 5, max_ejection_percent: 100 } };
const oneConnection = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } };

describe('requests that run out of time', () => {
  for (const [name, step, limits, waiting, ejections] of [
    ['while the host does not answer eject it', stall(), {}, 0, 1],
    ['while its answer is on its way do not', slow, {}, 0, 0],
    ['while they wait for a connection do not', stall(), oneConnection, 5, 0],
  ] as const) {
    it(name, async (context) => {
      const clock = new LeapClock();
      const upstream = await startUpstream(context, [step]);
      const proxy = await startTestProxy(
        context,
        () => ({
          listeners: [listener('main', httpManager([routeTo('a', { timeout: '0.5s' })]))],
          clusters: [cluster('a', [upstream.port], { ...strict, ...limits })],
        }),
        clock,
      );
      const clients = await Promise.all(Array.from({ length: 6 }, () => openClient(context, proxy.port())));
      for (const client of clients) client.request('GET', '/');
      await until('all have gone or wait', () => upstream.requests.length === 6 - waiting);
      await until('as many wait', () => proxy.stat('cluster.a.upstream_rq_pending_active') === waiting);
      if (step === slow) for (const client of clients) await client.received(3);
      await clock.leap(600);
      await until('all are over', () => proxy.stat('cluster.a.upstream_rq_timeout') === 6);
      assert.equal(proxy.stat('cluster.a.outlier_detection.ejections_active'), ejections);
    });
  }
});
