// Resources that a control plane takes back and sends again so quickly that both are looked at together.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { reply, startUpstream } from '../../kit/upstream.ts';
import { answerTo, clusterMessage, listenerMessage, push, startDynamic } from './dynamic.ts';
import { httpManager, listener, routeTo } from './fixture.ts';

describe('a resource that is taken back and sent again at once', () => {
  it('is there', async (context) => {
    const upstream = await startUpstream(context, [reply(200)]);
    const { proxy, stream } = await startDynamic(context, 1);
    const a = clusterMessage('a', upstream.port);
    const main = listenerMessage(listener('main', httpManager([routeTo('a')])));
    assert.equal(await push(stream, 'cluster', 'c1', [a]), null);
    assert.equal(await push(stream, 'listener', 'l1', [main]), null);
    stream.respond('cluster', 'c2', []);
    assert.equal((await answerTo(stream, stream.respond('cluster', 'c3', [a]))).versionInfo, 'c3');
    assert.equal(proxy.running.clusters.has('a'), true);
    stream.respond('listener', 'l2', []);
    assert.equal((await answerTo(stream, stream.respond('listener', 'l3', [main]))).versionInfo, 'l3');
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 200);
  });

  it('is gone when it is taken back again', async (context) => {
    const { proxy, stream } = await startDynamic(context, 1);
    const a = clusterMessage('a', 1);
    assert.equal(await push(stream, 'cluster', 'c1', [a]), null);
    for (const resources of [[], [a]]) stream.respond('cluster', 'c2', resources);
    assert.equal((await answerTo(stream, stream.respond('cluster', 'c3', []))).versionInfo, 'c3');
    assert.equal(proxy.running.clusters.has('a'), false);
  });
});
