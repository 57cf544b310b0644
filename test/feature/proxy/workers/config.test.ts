// Changes of configuration with several workers: acknowledged when all have made them, refused as with one, kept for replacements.

import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { fetchOnce } from '../../../kit/client.ts';
import { freePorts } from '../../../kit/ports.ts';
import { until } from '../../../kit/until.ts';
import { echo, startUpstream } from '../../../kit/upstream.ts';
import { answerTo, clusterMessage, type Json, listenerMessage, push, pushDelta, startDynamic } from '../dynamic.ts';
import { httpManager, listener, routeTo, type TestProxy } from '../fixture.ts';
import { everyWorkerServes, killWorker, openClients, stats } from './fixture.ts';

const skip = process.platform === 'linux' ? false : 'workers share ports on Linux only';

const source = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };

function rdsListener(routes?: string): object {
  return listenerMessage(rdsJson(routes));
}

function rdsJson(routes = 'r'): Json {
  const { route_config: _inline, ...rest } = httpManager([]).typed_config as Json;
  const config = { ...rest, rds: { route_config_name: routes, config_source: source } };
  const manager = { name: 'envoy.filters.network.http_connection_manager', typed_config: config };
  return listener('main', manager);
}

function routes(revision: number): object {
  const headers = [{ header: { key: 'x-revision', value: String(revision) } }];
  const json = {
    name: 'r',
    response_headers_to_add: headers,
    virtual_hosts: [{ name: 'all', domains: ['*'], routes: [routeTo(revision % 2 === 0 ? 'a' : 'b')] }],
  };
  return messageFromJson('envoy.config.route.v3.RouteConfiguration', json, []);
}

interface Answer {
  readonly status: number;
  readonly revision: number;
}

function ask(agent: Agent, port: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/', agent }, (response) => {
      response.resume();
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, revision: Number(response.headers['x-revision']) }),
      );
    });
    request.on('error', reject);
  });
}

/** Ends both workers in turn; those that take their places serve as they did. */
async function bothServeAnew(context: TestContext, proxy: TestProxy, port: number): Promise<void> {
  for (const worker of [0, 1]) {
    await killWorker(proxy, worker);
    await everyWorkerServes(proxy);
  }
  for (const client of await openClients(context, port)) assert.equal((await client.fetch('GET', '/')).status, 200);
}

describe('configuration of two workers', { skip }, () => {
  it('changes under load without a failed request, and not before all have made the change', async (context) => {
    const upstream = await startUpstream(context, [echo()]);
    const { proxy, stream } = await startDynamic(context, 2);
    assert.equal(
      await push(
        stream,
        'cluster',
        '1',
        ['a', 'b'].map((name) => clusterMessage(name, upstream.port)),
      ),
      null,
    );
    assert.equal(await push(stream, 'listener', '1', [rdsListener()]), null);
    assert.equal(await push(stream, 'route', '0', [routes(0)]), null);
    await everyWorkerServes(proxy);
    await until('it is ready', async () => (await proxy.admin('GET', '/ready')).status === 200);

    const port = proxy.port();
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    context.after(() => agent.destroy());
    let acknowledged = 0;
    let isOver = false;
    let asked = 0;
    const drive = async (): Promise<void> => {
      while (!isOver) {
        const expected = acknowledged;
        const { status, revision } = await ask(agent, port);
        asked++;
        assert.equal(status, 200);
        assert.ok(revision >= expected, `revision ${revision} after ${expected} was acknowledged`);
      }
    };
    const load = Promise.all(Array.from({ length: 16 }, drive));
    for (let revision = 1; revision <= 50; revision++) {
      assert.equal(await push(stream, 'route', String(revision), [routes(revision)]), null);
      acknowledged = revision;
      const before = asked;
      await Promise.race([until('some requests went by it', () => asked >= before + 20), load]);
    }
    isOver = true;
    await load;
    const all = await stats(proxy);
    assert.ok([0, 1].every((i) => (all.get(`listener.127.0.0.1_0.worker_${i}.downstream_cx_total`) ?? 0) > 0));
    assert.equal(all.get('rds.update_success'), 51);
  });

  it('is refused with the words that one worker has for it', async (context) => {
    const bad = {
      ...listener('main', httpManager([routeTo('nowhere')], { manager: { preserve_external_request_id: true } })),
      listener_filters: [{ name: 'odd' }],
    };
    const refusals: (string | null)[] = [];
    for (const concurrency of [1, 2]) {
      const { stream } = await startDynamic(context, concurrency);
      await push(stream, 'cluster', '1', []);
      refusals.push(await push(stream, 'listener', '1', [listenerMessage(bad)]));
    }
    assert.match(refusals[0] ?? '', /WEFT\d{4}/);
    assert.equal(refusals[1], refusals[0]);
  });

  it('reaches a worker that came later', async (context) => {
    const upstream = await startUpstream(context, [echo()]);
    const { proxy, stream } = await startDynamic(context, 2);
    await push(stream, 'cluster', '1', [clusterMessage('a', upstream.port)]);
    await push(stream, 'listener', '1', [rdsListener()]);
    await push(stream, 'route', '0', [routes(0)]);
    await everyWorkerServes(proxy);
    const port = proxy.port();
    await bothServeAnew(context, proxy, port);
    assert.equal(proxy.port(), port);
  });

  it('that waits for routes leaves the listener as it was, also in a worker that came later', async (context) => {
    const upstream = await startUpstream(context, [echo()]);
    const { proxy, stream } = await startDynamic(context, 2);
    await push(stream, 'cluster', '1', [clusterMessage('a', upstream.port)]);
    await push(stream, 'listener', '1', [rdsListener()]);
    await push(stream, 'route', '0', [routes(0)]);
    await everyWorkerServes(proxy);
    const port = proxy.port();
    assert.equal(await push(stream, 'listener', '2', [rdsListener('not-here')]), null);
    await bothServeAnew(context, proxy, port);
  });

  it('that waits is told from the one that serves also where a server gives its updates no versions', async (context) => {
    const upstream = await startUpstream(context, [echo()]);
    const { proxy, stream } = await startDynamic(context, 2, 'DELTA_GRPC');
    const send = async (main: object) =>
      (await answerTo(stream, stream.respondDelta('listener', [['main', '1', main]], [], ''))).errorDetail;
    await pushDelta(stream, 'cluster', '1', { a: clusterMessage('a', upstream.port) });
    await send(rdsListener());
    await pushDelta(stream, 'route', '0', { r: routes(0) });
    await everyWorkerServes(proxy);
    const port = proxy.port();
    assert.equal(await send(rdsListener('not-here')), undefined);
    await bothServeAnew(context, proxy, port);
  });

  it('that waits for routes elsewhere leaves a new worker its address, even if another listener wants it', async (context) => {
    const upstream = await startUpstream(context, [echo()]);
    const { proxy, stream } = await startDynamic(context, 2);
    const [from = 0, to = 0] = await freePorts(2);
    const at = (port: number, json: Json): object =>
      listenerMessage({ ...json, address: { socket_address: { address: '127.0.0.1', port_value: port } } });
    await push(stream, 'cluster', '1', [clusterMessage('a', upstream.port)]);
    await push(stream, 'listener', '1', [at(from, rdsJson())]);
    await push(stream, 'route', '0', [routes(0)]);
    await everyWorkerServes(proxy);
    const moving = at(to, rdsJson('not-here'));
    await push(stream, 'listener', '2', [moving]);
    await push(stream, 'listener', '3', [moving, at(from, listener('next', httpManager([])))]);
    for (const worker of [0, 1]) {
      await killWorker(proxy, worker);
      await until('it is replaced', () => !proxy.running.unready().some(({ name }) => name === 'workers'), 5000);
    }
    for (const client of await openClients(context, from)) assert.equal((await client.fetch('GET', '/')).status, 200);
  });

  it('takes listeners away and gives their port to others, without a lost connection', async (context) => {
    const { proxy, stream } = await startDynamic(context, 2);
    await push(stream, 'cluster', '1', []);
    await push(stream, 'listener', '1', [listenerMessage(listener('first', httpManager([])))]);
    await until('it listens', () => proxy.running.listeners.all().some((one) => one.port !== 0));
    const port = proxy.port('first');
    const address = { socket_address: { address: '127.0.0.1', port_value: port } };
    await push(stream, 'listener', '2', [listenerMessage({ ...listener('second', httpManager([])), address })]);
    await until('the other has it', () => proxy.running.listeners.all().some((one) => one.port === port));
    await everyWorkerServes(proxy);
    for (const client of await openClients(context, port)) assert.equal((await client.fetch('GET', '/')).status, 404);
    const at = (name: string) => listenerMessage({ ...listener(name, httpManager([])), address });
    assert.equal(await push(stream, 'listener', '3', [at('third')]), null);
    let isOver = false;
    const knock = async (): Promise<void> => {
      while (!isOver) assert.equal((await fetchOnce(context, port, '/')).status, 404);
    };
    const load = Promise.all(Array.from({ length: 4 }, knock));
    for (let i = 0; i < 30; i++) assert.equal(await push(stream, 'listener', `r${i}`, [at(`name-${i}`)]), null);
    isOver = true;
    await load;
    await push(stream, 'listener', '4', []);
    await until('none is left', () => proxy.running.listeners.all().length === 0);
  });
});
