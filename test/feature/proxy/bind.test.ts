// A listener from the control plane whose port is taken: the control plane hears it, the rest is in force, and it comes up when the
// port is free.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fetchOnce, openClient } from '../../kit/client.ts';
import { temporaryFolder } from '../../kit/folder.ts';
import { freePorts } from '../../kit/ports.ts';
import { until } from '../../kit/until.ts';
import { answerTo, type Json, listenerMessage, push, pushDelta, startDynamic } from './dynamic.ts';
import { httpManager, listener } from './fixture.ts';
import { everyWorkerServes, killWorker } from './workers/fixture.ts';

interface Holder {
  readonly port: number;
  free(): Promise<void>;
}

/** Another program that listens. */
async function holdPort(context: TestContext): Promise<Holder> {
  const [port = 0] = await freePorts(1);
  const server: Server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const free = async (): Promise<void> => {
    server.close();
    await once(server, 'close');
  };
  return { port, free };
}

function at(name: string, port: number, status = 204, host = '127.0.0.1'): object {
  return on(name, { socket_address: { address: host, port_value: port } }, status);
}

function onPath(name: string, path: string, status: number): object {
  return on(name, { pipe: { path } }, status);
}

async function statusOn(path: string): Promise<number | undefined> {
  const sent = request({ socketPath: path, agent: false }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

function on(name: string, address: Json, status: number): object {
  const answer = { match: { prefix: '/' }, direct_response: { status } };
  return listenerMessage({ ...listener(name, httpManager([answer])), address });
}

async function isRefused(context: TestContext, port: number): Promise<boolean> {
  const client = await openClient(context, port).catch(() => null);
  client?.socket.destroy();
  return client === null;
}

const skip = process.platform === 'linux' ? false : 'only Linux gives a connection to the closer of two addresses';

for (const workers of process.platform === 'linux' ? [1, 2] : [1]) {
  describe(`a listener whose port is taken, ${workers} ${workers === 1 ? 'worker' : 'workers'}`, () => {
    it('refuses the update with the reason, and acknowledges it when the port is free', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers);
      assert.equal(await push(stream, 'listener', '1', [at('good', 0)]), null);
      const taken = await holdPort(context);
      const nonce = stream.respond('listener', '2', [at('good', 0), at('other', 0), at('bad', taken.port)]);
      const refused = await answerTo(stream, nonce);
      assert.match(
        refused.errorDetail?.message ?? '',
        new RegExp(
          `WEFT0150 listener\\["bad"\\].* cannot listen on 127\\.0\\.0\\.1:${taken.port}: .*address already in use`,
        ),
      );
      assert.equal(refused.versionInfo, '1');
      assert.equal((await fetchOnce(context, proxy.port('other'), '/')).status, 204);
      assert.equal(proxy.stat('listener_manager.lds.update_rejected'), 1);

      await taken.free();
      const acknowledged = await answerTo(stream, nonce);
      assert.equal(acknowledged.errorDetail, undefined);
      assert.equal(acknowledged.versionInfo, '2');
      assert.equal((await fetchOnce(context, taken.port, '/')).status, 204);
    });

    it('leaves the listener where it was, and moves it when the port is free', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers);
      assert.equal(await push(stream, 'cluster', '1', []), null);
      const [first = 0] = await freePorts(1);
      assert.equal(await push(stream, 'listener', '1', [at('main', first, 201)]), null);
      const taken = await holdPort(context);
      const nonce = stream.respond('listener', '2', [at('main', taken.port, 202)]);
      assert.match((await answerTo(stream, nonce)).errorDetail?.message ?? '', /address already in use/);
      assert.equal((await fetchOnce(context, first, '/')).status, 201);
      assert.equal((await proxy.admin('GET', '/ready')).status, 200);

      await taken.free();
      assert.equal((await answerTo(stream, nonce)).versionInfo, '2');
      assert.equal((await fetchOnce(context, taken.port, '/')).status, 202);
      await until('the old port is given up', () => isRefused(context, first));
    });

    it('shares its port with a listener for all addresses, whichever came first', { skip }, async (context) => {
      const { stream } = await startDynamic(context, workers);
      const [one = 0, two = 0] = await freePorts(2);
      const own = [at('own-1', one, 201), at('own-2', two, 202)];
      assert.equal(await push(stream, 'listener', '1', [at('all-1', one, 203, '0.0.0.0'), own[1] as object]), null);
      assert.equal(
        await push(stream, 'listener', '2', [
          ...own,
          at('all-1', one, 203, '0.0.0.0'),
          at('all-2', two, 204, '0.0.0.0'),
        ]),
        null,
      );
      const statuses: number[] = [];
      for (const port of [one, two])
        for (const host of ['127.0.0.1', '127.0.0.2']) statuses.push((await fetch(`http://${host}:${port}/`)).status);
      assert.deepEqual(statuses, [201, 203, 202, 204]);
    });

    it('two of them can change places', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers);
      const [one = 0, two = 0] = await freePorts(2);
      assert.equal(await push(stream, 'listener', '1', [at('a', one, 201), at('b', two, 202)]), null);
      await everyWorkerServes(proxy);
      assert.equal(await push(stream, 'listener', '2', [at('a', two, 201), at('b', one, 202)]), null);
      assert.equal((await fetchOnce(context, two, '/')).status, 201);
      assert.equal((await fetchOnce(context, one, '/')).status, 202);
    });

    it('one of them can have the port of another that goes by the same update', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers);
      const [port = 0] = await freePorts(1);
      assert.equal(await push(stream, 'listener', '1', [at('old', port, 201)]), null);
      await everyWorkerServes(proxy);
      assert.equal(await push(stream, 'listener', '2', [at('new', port, 202)]), null);
      assert.equal((await fetchOnce(context, port, '/')).status, 202);
      assert.deepEqual(
        proxy.running.listeners.all().map(({ compiled }) => compiled.name),
        ['new'],
      );
    });

    it('has the port that another one is about to leave', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers, 'DELTA_GRPC');
      const [one = 0, two = 0] = await freePorts(2);
      assert.equal(await pushDelta(stream, 'cluster', '1', {}), null);
      assert.equal(await pushDelta(stream, 'listener', '1', { a: at('a', one, 201) }), null);
      await everyWorkerServes(proxy);
      const nonces = [
        stream.respondDelta('listener', [['a', '2', at('a', two, 201)]]),
        stream.respondDelta('listener', [['b', '2', at('b', one, 202)]]),
        stream.respondDelta('listener', [['c', '2', at('c', two, 203)]]),
      ];
      const answers: (string | undefined)[] = [];
      for (const nonce of nonces) answers.push((await answerTo(stream, nonce)).errorDetail?.message);
      assert.deepEqual(answers.slice(0, 2), [undefined, undefined]);
      assert.match(answers[2] ?? '', /WEFT0847 listener\["c"\].* is the address of the listener "a" too/);
      assert.equal((await fetchOnce(context, two, '/')).status, 201);
      assert.equal((await fetchOnce(context, one, '/')).status, 202);
    });

    it('has the Unix socket of another that goes by the same update', async (context) => {
      const { proxy, stream } = await startDynamic(context, workers);
      const path = join(temporaryFolder(context), 'main.sock');
      assert.equal(await push(stream, 'cluster', '1', []), null);
      for (let i = 0; i < 10; i++) {
        assert.equal(await push(stream, 'listener', `${i}`, [onPath(`main-${i}`, path, 201 + i)]), null);
        assert.equal(await statusOn(path), 201 + i);
      }
      if (workers === 1) return;
      for (const worker of [0, 1]) {
        await killWorker(proxy, worker);
        await everyWorkerServes(proxy);
      }
      assert.equal(await statusOn(path), 210);
    });

    it('is done with when the next update leaves it out', async (context) => {
      const { stream } = await startDynamic(context, workers);
      const taken = await holdPort(context);
      assert.match((await push(stream, 'listener', '1', [at('bad', taken.port)])) ?? '', /address already in use/);
      assert.equal(await push(stream, 'listener', '2', [at('good', 0)]), null);
    });
  });
}
