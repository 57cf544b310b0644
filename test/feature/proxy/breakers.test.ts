// Circuit breakers of a cluster: what their limits keep out, and what they must not.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy } from './fixture.ts';

describe('a limit of connections', () => {
  it('that an idle one to another host has reached refuses nobody', async (context) => {
    const [one, two] = [await startUpstream(context), await startUpstream(context)];
    const limits = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [one.port, two.port], limits)],
    }));
    const client = await openClient(context, proxy.port());
    for (let i = 0; i < 4; i++) assert.equal((await client.fetch('GET', '/')).status, 200);
    assert.deepEqual([one.connections, two.connections], [1, 1]);
    assert.equal(proxy.stat('cluster.a.circuit_breakers.default.cx_open'), 1);
  });
});
