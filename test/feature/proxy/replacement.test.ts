// A listener that changes under open connections: they stay, and their next request goes by the new configuration.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Issue } from '@weft/lib/issue';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { fetchOnce, openClient, type RawClient } from '../../kit/client.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until } from '../../kit/until.ts';
import { after, echo, startUpstream } from '../../kit/upstream.ts';
import { listenerMessage, push, startDynamic } from './dynamic.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy, tcpProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const rbacType = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC';
const networkRbacType = 'type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC';
const nobody = { action: 'ALLOW', policies: {} };
const denyAll: Json = { name: 'rbac', typed_config: { '@type': rbacType, rules: nobody } };
const denyConnections: Json = {
  name: 'rbac',
  typed_config: { '@type': networkRbacType, stat_prefix: 'n', rules: nobody },
};
const everybody = { permissions: [{ any: true }], principals: [{ any: true }] };
const admitConnections: Json = {
  name: 'rbac',
  typed_config: {
    '@type': networkRbacType,
    stat_prefix: 'n',
    rules: { action: 'ALLOW', policies: { everybody } },
  },
};

function replaceListener(proxy: TestProxy, json: Json): void {
  const issues: Issue[] = [];
  const message = messageFromJson('envoy.config.listener.v3.Listener', json, issues);
  const prepared = proxy.running.listeners.prepare(new Map([['main', message]]), [], '2');
  assert.deepEqual([...issues, ...prepared.issues], []);
  prepared.commit();
}

/** A proxy with one connection on which nothing has come yet. */
async function acceptSilent(context: TestContext): Promise<{ proxy: TestProxy; silent: RawClient }> {
  const upstream = await startUpstream(context);
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a')]))],
    clusters: [cluster('a', [upstream.port])],
  }));
  const silent = await openClient(context, proxy.port());
  await until('it is accepted', () => proxy.stat('listener.127.0.0.1_0.downstream_cx_active') === 1);
  return { proxy, silent };
}

/** A connection manager whose routes come over ADS, and which waits for them without end. */
function followRoutes(name: string): Json {
  const source = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  const { typed_config: config, ...rest } = httpManager([]) as { typed_config: Json };
  const { route_config: _routes, ...own } = config;
  return { ...rest, typed_config: { ...own, rds: { route_config_name: name, config_source: source } } };
}

describe('a replaced listener', () => {
  it('applies a new policy to the next request of an open connection, and keeps the connection', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 200);
    replaceListener(proxy, listener('main', httpManager([routeTo('a')], { filters: [denyAll] })));
    const denied = await client.fetch('GET', '/');
    assert.equal(denied.status, 403);
    assert.equal(denied.headers.connection, undefined);
    replaceListener(proxy, listener('main', httpManager([routeTo('a')])));
    assert.equal((await client.fetch('GET', '/')).status, 200);
  });

  it('lets the request in flight end by the configuration it began with', async (context) => {
    let open = () => {};
    const gate = new Promise((resolve) => {
      open = () => resolve(null);
    });
    const upstream = await startUpstream(context, [after(gate, echo())]);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    client.request('GET', '/slow');
    await upstream.request(1);
    replaceListener(proxy, listener('main', httpManager([routeTo('a')], { filters: [denyAll] })));
    open();
    assert.equal((await client.response()).status, 200);
    assert.equal((await client.fetch('GET', '/')).status, 403);
  });

  it('ends connections that a new connection policy does not admit', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 200);
    replaceListener(proxy, listener('main', denyConnections, httpManager([routeTo('a')])));
    await client.closed();
  });

  it('ends connections that have not said anything yet alike', async (context) => {
    const { proxy, silent } = await acceptSilent(context);
    replaceListener(proxy, listener('main', admitConnections, httpManager([routeTo('a')])));
    replaceListener(proxy, listener('main', denyConnections, httpManager([routeTo('a')])));
    await silent.closed();
    assert.equal(proxy.running.listeners.connections, 0);
  });

  it('serves a connection that has not said anything yet by the new configuration', async (context) => {
    const { proxy, silent } = await acceptSilent(context);
    replaceListener(proxy, listener('main', httpManager([routeTo('a')], { filters: [denyAll] })));
    assert.equal((await silent.fetch('GET', '/')).status, 403);
    assert.equal(proxy.running.listeners.connections, 1);
    proxy.running.listeners.closeAll();
    await silent.closed();
  });

  it('keeps a TCP session where only the policies change, and ends it when they do not admit it any more', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', tcpProxy('a'))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 200);
    replaceListener(proxy, listener('main', admitConnections, tcpProxy('a')));
    assert.equal((await client.fetch('GET', '/')).status, 200);
    assert.equal(proxy.running.listeners.connections, 1);
    replaceListener(proxy, listener('main', denyConnections, tcpProxy('a')));
    await client.closed();
    assert.equal(proxy.running.listeners.connections, 0);
  });

  it('lets a TCP session drain where the new configuration would send it elsewhere', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', tcpProxy('a'))],
      clusters: [cluster('a', [upstream.port]), cluster('b', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 200);
    replaceListener(proxy, listener('main', tcpProxy('b')));
    assert.equal((await client.fetch('GET', '/')).status, 200);
    proxy.running.listeners.closeAll();
    await client.closed();
  });

  it('goes on to ask its clients to leave where the proxy drains', async (context) => {
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([]))],
      clusters: [],
    }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).headers.connection, undefined);
    await proxy.admin('POST', '/drain_listeners?graceful');
    replaceListener(proxy, listener('main', httpManager([], { filters: [denyAll] })));
    assert.equal((await client.fetch('GET', '/')).headers.connection, 'close');
  });

  it('drains connections where a connection manager gives way to a TCP proxy', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 200);
    replaceListener(proxy, listener('main', tcpProxy('a')));
    const last = await client.fetch('GET', '/');
    assert.equal(last.status, 200);
    assert.equal(last.headers.connection, 'close');
  });

  it('goes on by its routes as long as the next version waits for others', async (context) => {
    const clock = new LeapClock();
    const { proxy, stream } = await startDynamic(context, 1, 'GRPC', clock);
    assert.equal(await push(stream, 'cluster', '1', []), null);
    assert.equal(await push(stream, 'listener', '1', [listenerMessage(listener('main', followRoutes('first')))]), null);
    const answer = { match: { prefix: '/' }, directResponse: { status: 201 } };
    const first = { name: 'first', virtualHosts: [{ name: 'all', domains: ['*'], routes: [answer] }] };
    assert.equal(await push(stream, 'route', '1', [first]), null);
    const port = proxy.port();
    assert.equal((await fetchOnce(context, port, '/')).status, 201);
    assert.equal(
      await push(stream, 'listener', '2', [listenerMessage(listener('main', followRoutes('second')))]),
      null,
    );
    await clock.leap(601_000);
    assert.equal((await fetchOnce(context, port, '/')).status, 201);
  });
});
