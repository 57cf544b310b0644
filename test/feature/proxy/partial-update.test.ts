// An update of which something is refused: the rest of it is in force, in every worker and in those that come later.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fetchOnce } from '../../kit/client.ts';
import { freePorts } from '../../kit/ports.ts';
import { listenerMessage, push, pushDelta, startDynamic } from './dynamic.ts';
import { httpManager, listener } from './fixture.ts';
import { everyWorkerServes, killWorker } from './workers/fixture.ts';

function at(name: string, port: number, status: number): object {
  const answer = { match: { prefix: '/' }, direct_response: { status } };
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return listenerMessage({ ...listener(name, httpManager([answer])), address });
}

for (const workers of process.platform === 'linux' ? [1, 2] : [1]) {
  describe(`an update of which a resource is refused, ${workers} ${workers === 1 ? 'worker' : 'workers'}`, () => {
    it('is in force but for that one, which is named', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers);
      const [port = 0, gone = 0] = await freePorts(2);
      assert.equal(await push(stream, 'cluster', '1', []), null);
      assert.equal(await push(stream, 'listener', '1', [at('main', port, 201), at('gone', gone, 201)]), null);

      const update = [at('main', port, 202), at('second', port, 203)];
      assert.match(
        (await push(stream, 'listener', '2', update)) ?? '',
        /^error WEFT0847 listener\["second"\]\.address:.*$/,
      );
      await everyWorkerServes(proxy);
      if (workers > 1) for (const worker of [0, 1]) await killWorker(proxy, worker);
      await everyWorkerServes(proxy);
      assert.equal((await fetchOnce(context, port, '/')).status, 202);
      await assert.rejects(fetchOnce(context, gone, '/'), { code: 'ECONNREFUSED' });
      assert.equal(proxy.stat('listener_manager.lds.update_rejected'), 1);
    });

    it('and one that waits for what does not come, leave a proxy ready that was', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers);
      const ready = async (): Promise<number> => (await proxy.admin('GET', '/ready')).status;
      assert.equal(await ready(), 503);
      assert.equal(await push(stream, 'cluster', '1', []), null);
      assert.equal(await push(stream, 'listener', '1', [at('main', 0, 201)]), null);
      await everyWorkerServes(proxy);
      const source = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
      const rds = { route_config: undefined, rds: { route_config_name: 'r', config_source: source } };
      const waiting = ['main', 'other'].map((name) =>
        listenerMessage(listener(name, httpManager([], { manager: rds }))),
      );
      assert.equal(await push(stream, 'listener', '2', waiting), null);
      assert.equal(await ready(), 200);
      assert.equal((await fetchOnce(context, proxy.port('main'), '/')).status, 201);
      assert.deepEqual(proxy.running.listeners.missingNames(), ['other']);
    });

    it('is sent again once it is mended', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers, 'DELTA_GRPC');
      const [port = 0] = await freePorts(1);
      assert.equal(await pushDelta(stream, 'cluster', '1', {}), null);
      const both = { main: at('main', port, 201), second: at('second', port, 202) };
      assert.match((await pushDelta(stream, 'listener', '1', both)) ?? '', /WEFT0847 listener\["second"\]/);
      assert.equal(await pushDelta(stream, 'listener', '2', { second: at('second', 0, 202) }), null);
      await everyWorkerServes(proxy);
      const answers = [await fetchOnce(context, port, '/'), await fetchOnce(context, proxy.port('second'), '/')];
      assert.deepEqual(
        answers.map(({ status }) => status),
        [201, 202],
      );
    });
  });
}
