// Clients that stay at their host, by a cookie the proxy makes or by their address, through the real proxy.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { reply, reset, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy } from './fixture.ts';

const stickyCookie = [{ cookie: { name: 'sticky', ttl: '60s', path: '/' } }];

describe('a cookie that keeps a client at its host', () => {
  it('is given to the client once and leads it to the same host again', async (context) => {
    const upstreams = await Promise.all(
      [0, 1, 2, 3].map((i) => startUpstream(context, [reply(200, { body: `${i}` })])),
    );
    const ports = upstreams.map((one) => one.port);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a', { hash_policy: stickyCookie })]))],
      clusters: [cluster('a', ports, { lb_policy: 'RING_HASH' })],
    }));
    const first = await (await openClient(context, proxy.port())).fetch('GET', '/');
    const given = /^(sticky=[0-9a-f]{16}); Max-Age=60; Path=\/; HttpOnly$/.exec(first.headers['set-cookie'] ?? '');
    assert.ok(given, `set-cookie: ${first.headers['set-cookie']}`);
    for (let i = 0; i < 10; i++) {
      const again = await (await openClient(context, proxy.port())).fetch('GET', '/', { cookie: given[1] ?? '' });
      assert.equal(again.text, first.text);
      assert.equal(again.headers['set-cookie'], undefined);
    }
  });

  it('is one, however many attempts there are, and stands beside those of the endpoint', async (context) => {
    const headers = { 'set-cookie': 'own=1' };
    const upstream = await startUpstream(context, [reset(), reply(503), reply(200, { headers })]);
    const retry_policy = { retry_on: '5xx', num_retries: 3, retry_back_off: { base_interval: '0.001s' } };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a', { hash_policy: stickyCookie, retry_policy })]))],
      clusters: [cluster('a', [upstream.port], { lb_policy: 'RING_HASH' })],
    }));
    const response = await (await openClient(context, proxy.port())).fetch('GET', '/');
    assert.equal(response.status, 200);
    assert.equal(response.headerLines.filter((line) => /^set-cookie: sticky=/i.test(line)).length, 1);
    assert.equal(response.headerLines.filter((line) => /^set-cookie: own=1$/i.test(line)).length, 1);
  });
});

it('clients behind another proxy are told apart by the addresses it gives', async (context) => {
  const upstreams = await Promise.all([0, 1, 2, 3].map((i) => startUpstream(context, [reply(200, { body: `${i}` })])));
  const ports = upstreams.map((one) => one.port);
  const hash_policy = [{ connection_properties: { source_ip: true } }];
  const manager = { use_remote_address: true, xff_num_trusted_hops: 1 };
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a', { hash_policy })], { manager }))],
    clusters: [cluster('a', ports, { lb_policy: 'RING_HASH' })],
  }));
  const client = await openClient(context, proxy.port());
  const hosts = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const headers = { 'x-forwarded-for': `203.0.113.${i}` };
    const { text } = await client.fetch('GET', '/', headers);
    assert.equal((await client.fetch('GET', '/', headers)).text, text);
    hosts.add(text);
  }
  assert.ok(hosts.size > 1, 'forty clients do not all go to the same host');
});
