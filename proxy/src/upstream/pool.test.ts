// The pools of one host over real sockets: what waits when the host goes away, and who shares connections.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { PausedClock, systemClock } from '@weft/lib/clock';
import { Headers } from '@weft/lib/header';
import { SampleClusters, staticCluster } from '../../../test/kit/clusters.ts';
import { startHttp2Upstream } from '../../../test/kit/http2-server.ts';
import { fakeConnection } from '../../../test/kit/logged-view.ts';
import { until } from '../../../test/kit/until.ts';
import { startUpstream } from '../../../test/kit/upstream.ts';
import type { Host } from '../cluster/host.ts';
import { poolOf } from './pool.ts';
import type { UpstreamEvents, UpstreamHead, UpstreamStream } from './upstream-stream.ts';

class Recorder implements UpstreamEvents {
  status = 0;
  failure = '';
  isDone = false;
  received = 0;
  stream: UpstreamStream | null = null;
  onUpstreamReady(stream: UpstreamStream): void {
    this.stream = stream;
  }
  onInformational(): void {}
  onResponseTrailers(): void {}
  onUpstreamDrain(): void {}
  onResponseHead(status: number, _headers: Headers, endStream: boolean): void {
    this.status = status;
    this.isDone = endStream;
  }
  onResponseData(_buffer: Buffer, _offset: number, length: number, endStream: boolean): void {
    this.received += length;
    this.isDone ||= endStream;
  }
  onUpstreamFailed(_fault: unknown, details: string): void {
    this.failure = details;
  }
}

function head(): UpstreamHead {
  const requestHeaders = Headers.of();
  return {
    method: 'GET',
    path: '/',
    authority: 'a',
    scheme: 'http',
    requestHeaders,
    upgrade: null,
    protocol: 'HTTP/1.1',
  };
}

async function startHost(context: TestContext) {
  const upstream = await startUpstream(context);
  return { upstream, ...hostAt(context, upstream.port) };
}

function hostAt(context: TestContext, port: number, more: object = {}) {
  const clusters = new SampleClusters();
  clusters.put(staticCluster('a', [`127.0.0.1:${port}`], more));
  const host = clusters.get('a').hosts[0] as Host;
  context.after(() => host.remove());
  return { clusters, host };
}

describe('a host that is removed', () => {
  it('still serves a request that waits for its connection, on that one connection', async (context) => {
    const { upstream, clusters, host } = await startHost(context);
    const client = fakeConnection();
    const events = new Recorder();
    const pool = poolOf(host, { client, endsTunnel: false, isHighPriority: false, isHttp2Client: false }, systemClock);
    pool.start(head(), true, events);
    host.remove();
    await until('it is answered', () => events.isDone || events.failure !== '');
    assert.deepEqual([events.status, events.failure], [200, '']);
    await until('its connection is closed', () => upstream.openSockets.size === 0);
    assert.equal(upstream.connections, 1);
    assert.equal(pool.connections, 0);
    assert.equal(clusters.stat('a', 'upstream_rq_pending_active'), 0);
    assert.equal(clusters.stat('a', 'upstream_cx_active'), 0);
  });
});

const choice = { client: fakeConnection(), endsTunnel: false, isHighPriority: false, isHttp2Client: false };

describe('a connection', () => {
  it('whose request was given up before it stood is closed when it has been idle', async (context) => {
    const { upstream, clusters, host } = await startHost(context);
    const clock = new PausedClock();
    const events = new Recorder();
    const pool = poolOf(host, choice, clock);
    pool.start(head(), true, events);
    pool.cancel(events);
    await until('it stands', () => clusters.stat('a', 'upstream_cx_http1_total') === 1);
    clock.advance(3_600_001);
    await until('it is closed', () => pool.connections === 0 && upstream.openSockets.size === 0);
    assert.equal(clusters.stat('a', 'upstream_cx_idle_timeout'), 1);
  });

  for (const protocol of ['http1', 'http2'] as const) {
    it(`that is idle is closed when it is too old, over ${protocol}`, async (context) => {
      const { port } =
        protocol === 'http1' ? await startUpstream(context) : await startHttp2Upstream(context, () => {});
      const limits = { common_http_protocol_options: { max_connection_duration: '10s' } };
      const { clusters, host } = hostAt(context, port, {
        ...limits,
        ...(protocol === 'http2' ? { http2_protocol_options: {} } : {}),
      });
      const clock = new PausedClock();
      const events = new Recorder();
      const pool = poolOf(host, choice, clock);
      pool.start(head(), true, events);
      pool.cancel(events);
      await until('it stands', () => clusters.stat('a', `upstream_cx_${protocol}_total`) === 1);
      clock.advance(9990);
      assert.equal(pool.connections, 1);
      clock.advance(20);
      assert.equal(pool.connections, 0);
      assert.equal(clusters.stat('a', 'upstream_cx_max_duration_reached'), 1);
    });
  }
});

describe('a connection whose window is used up', () => {
  async function useUp(context: TestContext, limits: object = {}) {
    const { port, sessions } = await startHttp2Upstream(context, (stream, headers) => {
      if (headers[':path'] === '/mute') return;
      stream.respond({ ':status': 200 });
      stream.write(Buffer.alloc(70_000));
    });
    const options = { http2_protocol_options: { initial_connection_window_size: 65_535 } };
    const { host } = hostAt(context, port, { ...options, ...limits });
    const pool = poolOf(host, choice, systemClock);
    const [slow, other] = [new Recorder(), new Recorder()];
    slow.onUpstreamReady = (stream) => stream.pauseResponse();
    pool.start({ ...head(), path: '/mute' }, true, other);
    await until('it stands', () => other.stream !== null);
    pool.start(head(), true, slow);
    await until('the window is used up', () => slow.received === 65_535);
    return { pool, sessions, other };
  }

  it('takes nobody who waits for a further one when one of its streams ends', async (context) => {
    const { pool, sessions, other } = await useUp(context);
    const waiting = new Recorder();
    pool.start(head(), true, waiting);
    other.stream?.abandon();
    assert.ok(waiting.stream === null);
    await until('it is answered', () => waiting.status === 200);
    assert.equal(sessions.size, 2);
  });

  it('takes those for whom there is no room to wait', async (context) => {
    const thresholds = [{ max_pending_requests: 1 }];
    const { pool } = await useUp(context, { circuit_breakers: { thresholds } });
    const [waiting, beyond] = [new Recorder(), new Recorder()];
    pool.start(head(), true, waiting);
    pool.start(head(), true, beyond);
    assert.ok(waiting.stream === null);
    assert.equal(beyond.failure, '');
    assert.ok(beyond.stream !== null);
  });
});
