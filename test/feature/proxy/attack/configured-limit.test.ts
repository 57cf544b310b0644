// Limits at the values that a configuration gives them: what is announced, what is taken, and what happens one step further.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openClient } from '../../../kit/client.ts';
import { openFramePeer } from '../../../kit/frame-peer.ts';
import { LeapClock } from '../../../kit/leap-clock.ts';
import { until } from '../../../kit/until.ts';
import { echo, stall } from '../../../kit/upstream.ts';
import { routeTo } from '../fixture.ts';
import { startScene } from './scene.ts';

const delayFilter = {
  name: 'envoy.filters.http.fault',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
    delay: { fixed_delay: '3600s', percentage: { numerator: 100 } },
    headers: [{ name: 'x-slow', present_match: true }],
  },
};

describe('http2_protocol_options', () => {
  it('are announced by SETTINGS', async (context) => {
    const scene = await startScene(context, {
      manager: {
        max_request_headers_kb: 20,
        http2_protocol_options: {
          max_concurrent_streams: 7,
          hpack_table_size: 1024,
          initial_stream_window_size: 100_000,
          initial_connection_window_size: 200_000,
        },
      },
    });
    const client = await openFramePeer(context, scene.port);
    await client.seen(/^WINDOW_UPDATE 0 134465$/);
    assert.deepEqual(
      [...client.settings].toSorted(([a], [b]) => a - b),
      [
        [1, 1024],
        [3, 7],
        [4, 100_000],
        [6, 20 * 1024],
        [8, 1],
      ],
    );
  });

  it('initial_stream_window_size: more than that for a request that is not taken is an error of its stream', async (context) => {
    const options = { initial_stream_window_size: 65_535, initial_connection_window_size: 1_000_000 };
    const scene = await startScene(context, {
      manager: { http2_protocol_options: options },
      filters: [delayFilter],
    });
    const client = await openFramePeer(context, scene.port);
    await client.seen(/^SETTINGS ack$/);
    client.send('headers 1 |post|x-slow: 1\n4 x data 1 size=16384');
    await client.seen(/^RST_STREAM 1 FLOW_CONTROL_ERROR$/);
    client.send('headers 3 end |get');
    await client.seen(/^HEADERS 3 .*:status=200/);
  });

  it('initial_connection_window_size: more than that for all of them is an error of the connection', async (context) => {
    const options = { initial_stream_window_size: 65_535, initial_connection_window_size: 65_535 };
    const scene = await startScene(context, {
      manager: { http2_protocol_options: options },
      filters: [delayFilter],
    });
    const client = await openFramePeer(context, scene.port);
    client.send('headers 1 |post|x-slow: 1\nheaders 3 |post|x-slow: 1\n3 x data 1 size=16384\n3 x data 3 size=16384');
    await client.seen(/^GOAWAY 3 FLOW_CONTROL_ERROR$/);
    await scene.isClear();
  });

  it('max_request_headers_kb and max_headers_count hold over HTTP/2 too: 431', async (context) => {
    const manager = { max_request_headers_kb: 1, common_http_protocol_options: { max_headers_count: 10 } };
    const scene = await startScene(context, { manager });
    const client = await openFramePeer(context, scene.port);
    client.send(`headers 1 end |get|a: ${'x'.repeat(900)}`);
    await client.seen(/^HEADERS 1 .*:status=431/);
    client.send(`headers 3 end |get|${'a: 1|'.repeat(6)}b: 1`);
    await client.seen(/^HEADERS 3 .*:status=431/);
    client.send('headers 5 end |get|a: 1');
    await client.seen(/^HEADERS 5 .*:status=200/);
    assert.equal(scene.proxy.stat('http2.header_overflow'), 2);
  });
});

describe('over either protocol', () => {
  it('per_connection_buffer_limit_bytes: a body waits for a filter, the client is not read from meanwhile', async (context) => {
    const clock = new LeapClock();
    const scene = await startScene(context, {
      clock,
      listener: { per_connection_buffer_limit_bytes: 1000 },
      filters: [delayFilter],
      // The clock goes on while the body does.
      routes: [routeTo('web', { timeout: '0s' })],
      manager: { stream_idle_timeout: '0s' },
    });
    const body = 'x'.repeat(20_000_000);
    const client = await openClient(context, scene.port);
    client.request('POST', '/', { 'x-slow': '1' }, body);
    await until('the client is stuck', () => scene.proxy.stat('http.test.downstream_rq_active') === 1);
    await clock.leap(60_000);
    assert.ok(client.socket.writableLength > 1_000_000, 'most of it was not taken');
    await clock.leap(3_600_000);
    assert.equal((await client.response()).status, 200);
    assert.equal(scene.upstream.requests.at(-1)?.body.length, body.length);
  });

  it('max_stream_duration ends a stream that goes on', async (context) => {
    const clock = new LeapClock();
    const scene = await startScene(context, {
      clock,
      steps: [echo(), stall()],
      routes: [routeTo('web', { timeout: '0s' })],
      manager: { common_http_protocol_options: { max_stream_duration: '60s' } },
    });
    const client = await openClient(context, scene.port);
    client.request('GET', '/');
    await until('it is on its way', () => scene.proxy.stat('cluster.web.upstream_rq_active') === 1);
    await clock.leap(61_000);
    assert.equal((await client.response()).status, 504);
    assert.equal(scene.proxy.stat('http.test.downstream_rq_max_duration_reached'), 1);
  });
});
