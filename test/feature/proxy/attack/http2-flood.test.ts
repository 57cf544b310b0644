// Floods of HTTP/2 frames against a running proxy: each ends with its error code and its count, and others are served meanwhile.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openFramePeer } from '../../../kit/frame-peer.ts';
import { until } from '../../../kit/until.ts';
import { echo, stall } from '../../../kit/upstream.ts';
import { startScene } from './scene.ts';

interface Flood {
  readonly name: string;
  readonly script: string;
  readonly stat?: string;
  /** Merged into `http2_protocol_options`. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly code?: string;
}

/** Streams one after the other; `@` is the identifier. */
function streams(count: number, each: string): string {
  return Array.from({ length: count }, (_, i) => each.replaceAll('@', String(2 * i + 1))).join('\n');
}

const control = 'http2.outbound_control_flood';
const empty = 'http2.inbound_empty_frames_flood';

const floods: readonly Flood[] = [
  {
    name: 'rapid reset',
    script: streams(260, 'headers @ end |get\nreset @ 8'),
    stat: 'http.test.downstream_rq_too_many_premature_resets',
  },
  {
    name: 'streams that the proxy is made to reset',
    script: streams(260, 'headers @ |post\nwindow @ 0'),
    stat: 'http.test.downstream_rq_too_many_premature_resets',
  },
  {
    name: 'malformed requests',
    script: streams(130, 'headers @ end |get|Bad: 1'),
    stat: 'http.test.downstream_rq_too_many_premature_resets',
  },
  {
    name: 'more streams than announced',
    script: streams(290, 'headers @ |post'),
    stat: 'http.test.downstream_rq_too_many_premature_resets',
  },
  {
    name: 'CONTINUATION',
    script: 'headers 1 open |get\n20 x continuation 1 open |a: 1',
    stat: 'http2.header_overflow',
  },
  {
    name: 'large CONTINUATION',
    script: `headers 1 open |get\n5 x continuation 1 open |a: ${'x'.repeat(16_000)}`,
    stat: 'http2.header_overflow',
  },
  { name: 'empty CONTINUATION', script: 'headers 1 open |get\n3 x continuation 1 open', stat: empty },
  { name: 'empty DATA', script: 'headers 1 |post\n3 x data 1', stat: empty },
  { name: 'DATA of padding', script: 'headers 1 |post\n3 x data 1 pad=200', stat: empty },
  { name: 'empty DATA among others', script: `headers 1 |post\n${streams(110, 'data 1 |x\ndata 1')}`, stat: empty },
  {
    name: 'empty DATA, five in a row allowed',
    script: 'headers 1 |post\n6 x data 1',
    stat: empty,
    options: { max_consecutive_inbound_frames_with_empty_payload: 5 },
  },
  { name: 'PING', script: '110 x ping', stat: control },
  {
    name: 'PING, eight answers may wait',
    script: '10 x ping',
    stat: control,
    options: { max_outbound_control_frames: 8 },
  },
  { name: 'acknowledged PING', script: '110 x ping ack', stat: control },
  { name: 'SETTINGS', script: '60 x settings 4=70000', stat: control },
  { name: 'acknowledged SETTINGS', script: '60 x settings ack', stat: control },
  { name: 'PRIORITY', script: '110 x priority 1 3', stat: 'http2.inbound_priority_frames_flood' },
  {
    name: 'PRIORITY, three for each stream allowed',
    script: 'headers 1 end |get\n7 x priority 1 3',
    stat: 'http2.inbound_priority_frames_flood',
    options: { max_inbound_priority_frames_per_stream: 3 },
  },
  { name: 'WINDOW_UPDATE', script: '10 x window 0 1', stat: 'http2.inbound_window_update_frames_flood' },
  {
    name: 'HPACK bomb',
    script: `headers 1 end |get\nheaders 3 end hex=${hpackBomb()}`,
    stat: 'http2.header_overflow',
  },
  { name: 'a table that the block corrupts', script: 'headers 1 end hex=ff', code: 'COMPRESSION_ERROR' },
  { name: 'a frame larger than announced', script: 'headers 1 |post\ndata 1 size=20000', code: 'FRAME_SIZE_ERROR' },
  { name: 'a window beyond its largest', script: 'window 0 2147483647', code: 'FLOW_CONTROL_ERROR' },
  { name: 'PUSH_PROMISE', script: 'frame 5 4 1 00000002', code: 'PROTOCOL_ERROR' },
];

// An entry of 4,000 bytes, then one byte for each time it is used: 32 MB of fields out of 12 KB.
function hpackBomb(): string {
  return `4001617fa11e${'61'.repeat(4000)}${'be'.repeat(8000)}`;
}

describe('a flood over HTTP/2', () => {
  for (const { name, script, stat, options = {}, code = 'ENHANCE_YOUR_CALM' } of floods) {
    it(`of ${name} ends with ${code}`, async (context) => {
      const scene = await startScene(context, { manager: { http2_protocol_options: options } });
      const attacker = await openFramePeer(context, scene.port);
      attacker.send(script);
      await attacker.seen(new RegExp(`^GOAWAY \\d+ ${code}$`));
      await scene.servesOthers();
      attacker.socket.destroy();
      await scene.isClear();
      if (stat !== undefined) assert.equal(scene.proxy.stat(stat), 1, stat);
      assert.equal(scene.proxy.stat('http.test.downstream_cx_protocol_error'), 1);
    });
  }
});

it('ends a rapid reset earlier where the runtime key says so', async (context) => {
  const runtime = { 'overload.premature_reset_total_stream_count': 20 };
  const scene = await startScene(context, { runtime });
  const attacker = await openFramePeer(context, scene.port);
  attacker.send(streams(12, 'headers @ end |get\nreset @ 8'));
  await attacker.seen(/^GOAWAY \d+ ENHANCE_YOUR_CALM$/);
  assert.equal(scene.proxy.stat('http.test.downstream_rq_too_many_premature_resets'), 1);
});

it('keeps a client that stays within every limit', async (context) => {
  const scene = await startScene(context);
  const client = await openFramePeer(context, scene.port);
  client.send('90 x ping\n40 x settings 4=70000\n4 x window 0 1000\n50 x priority 1 3');
  client.send(streams(90, 'headers @ end |get\nreset @ 8'));
  client.send('headers 181 |post\ndata 181\ndata 181 |x\ndata 181 end');
  await client.seen(/^HEADERS 181 .*:status=200/);
  assert.equal(
    client.lines.some((line) => line.startsWith('GOAWAY')),
    false,
  );
});

it('refuses streams past the limit with REFUSED_STREAM and serves those within it', async (context) => {
  const scene = await startScene(context, {
    manager: { http2_protocol_options: { max_concurrent_streams: 2 } },
  });
  const client = await openFramePeer(context, scene.port);
  client.send('headers 1 |post\nheaders 3 |post\nheaders 5 |post\ndata 1 end |a\ndata 3 end |b');
  await client.seen(/^RST_STREAM 5 REFUSED_STREAM$/);
  await client.seen(/^HEADERS 1 .*:status=200/);
  await client.seen(/^HEADERS 3 .*:status=200/);
  assert.equal(scene.proxy.stat('http2.stream_refused_errors'), 1);
  assert.equal(scene.proxy.stat('http2.tx_reset'), 1);
});

it('gives back what a rapid reset took: no upstream request stays behind', async (context) => {
  const scene = await startScene(context, { steps: [echo(), stall()] });
  const attacker = await openFramePeer(context, scene.port);
  attacker.send(streams(100, 'headers @ end |get'));
  await until('all wait', () => scene.proxy.stat('http2.streams_active') === 100);
  attacker.send(streams(100, 'reset @ 8'));
  await until('all are gone', () => scene.proxy.stat('http2.rx_reset') === 100);
  assert.equal(scene.proxy.stat('cluster.web.upstream_rq_active'), 0);
  assert.equal(scene.proxy.stat('http2.streams_active'), 0);
});
