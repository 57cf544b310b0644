// An HTTP/2 upstream that breaks the rules: the proxy answers with the right error on the wire, fails the exchange, repeats what is
// safe to repeat, and the next request works.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { frames, ok } from '../../kit/http2/strict-upstream.ts';
import { until } from '../../kit/until.ts';
import { setUp } from './proxy-before.ts';

interface Violation {
  /** What the upstream sends, `ID` being the stream of the request. */
  readonly sends: string;
  /** Status, flag and details of the exchange. */
  readonly log: string;
  /** The frame that tells the upstream of its mistake. */
  readonly told: string;
  /** The head has gone to the client: the response breaks off. */
  readonly breaksOff?: boolean;
}

const malformed = '502 UPE http2_malformed_head';
const reset = 'RST_STREAM 1 PROTOCOL_ERROR';
const goAway = 'GOAWAY 0 PROTOCOL_ERROR';

const violations: Readonly<Record<string, Violation>> = {
  'no :status': { sends: 'headers ID end |x: y', log: malformed, told: reset },
  'two :status': { sends: 'headers ID end |ok|:status: 201', log: malformed, told: reset },
  ':status behind a field': { sends: 'headers ID end |x: y|ok', log: malformed, told: reset },
  'a :status that is no number': { sends: 'headers ID end |:status: abc', log: malformed, told: reset },
  'a :status of two digits': { sends: 'headers ID end |:status: 20', log: malformed, told: reset },
  'a request in place of a response': { sends: 'headers ID end |get', log: malformed, told: reset },
  'an unknown pseudo field': { sends: 'headers ID end |ok|:x: y', log: malformed, told: reset },
  'an upper-case name': { sends: 'headers ID end |ok|X-Up: y', log: malformed, told: reset },
  'a name with a space': { sends: 'headers ID end |ok|x y: z', log: malformed, told: reset },
  'an empty name': { sends: 'headers ID end hex=8800000161 |', log: malformed, told: reset },
  'a line feed in a value': { sends: 'headers ID end |ok|x: a\\nb', log: malformed, told: reset },
  'a NUL in a value': { sends: 'headers ID end |ok|x: a\\u0000b', log: malformed, told: reset },
  'a connection field': { sends: 'headers ID end |ok|connection: close', log: malformed, told: reset },
  'a transfer coding': {
    sends: 'headers ID |ok|transfer-encoding: chunked\ndata ID end |0',
    log: malformed,
    told: reset,
  },
  'two different lengths': { sends: 'headers ID |ok|content-length: 1|content-length: 2', log: malformed, told: reset },
  'a length that is no number': { sends: 'headers ID |ok|content-length: 1x', log: malformed, told: reset },
  'an interim response that ends': { sends: 'headers ID end |:status: 100', log: malformed, told: reset },
  'status 101': { sends: 'headers ID |:status: 101', log: malformed, told: reset },
  'DATA before the head': { sends: 'data ID |x', log: malformed, told: reset },
  'a length without content': {
    sends: 'headers ID end |ok|content-length: 5',
    log: '502 UPE http2_length_mismatch',
    told: reset,
  },
  'more content than its length': {
    sends: 'headers ID |ok|content-length: 2\ndata ID end |abc',
    log: '200 UPE http2_length_mismatch',
    told: reset,
    breaksOff: true,
  },
  'less content than its length': {
    sends: 'headers ID |ok|content-length: 9\ndata ID end |abc',
    log: '200 UPE http2_length_mismatch',
    told: reset,
    breaksOff: true,
  },
  'trailers without END_STREAM': {
    sends: 'headers ID |ok\nheaders ID |x: y',
    log: '200 UPE http2_trailers_without_end',
    told: reset,
    breaksOff: true,
  },
  'a pseudo field in trailers': {
    sends: 'headers ID |ok\nheaders ID end |:status: 200',
    log: '200 UPE http2_malformed_head',
    told: reset,
    breaksOff: true,
  },
  'a window of a stream by zero': { sends: 'window ID 0', log: '502 UPE http2_zero_increment', told: reset },
  'a window of a stream past its maximum': {
    sends: 'window ID 2147483647',
    log: '502 UPE http2_window_overflow',
    told: 'RST_STREAM 1 FLOW_CONTROL_ERROR',
  },
  'a window of the connection by zero': { sends: 'window 0 0', log: '502 UPE http2_zero_increment', told: goAway },
  'a window of the connection past its maximum': {
    sends: 'window 0 2147483647',
    log: '502 UPE http2_window_overflow',
    told: 'GOAWAY 0 FLOW_CONTROL_ERROR',
  },
  'a block that cannot be decompressed': {
    sends: 'headers ID end hex=ffffffffff |',
    log: '502 UPE http2_compression',
    told: 'GOAWAY 0 COMPRESSION_ERROR',
  },
  'an index of nothing': {
    sends: 'headers ID end hex=88ff00 |',
    log: '502 UPE http2_compression',
    told: 'GOAWAY 0 COMPRESSION_ERROR',
  },
  'a frame inside a block': {
    sends: 'headers ID open |ok\nping',
    log: '502 UPE http2_expected_continuation',
    told: goAway,
  },
  'CONTINUATION without a block': {
    sends: 'continuation ID |x: y',
    log: '502 UPE http2_unexpected_continuation',
    told: goAway,
  },
  'a stream that nobody opened': { sends: 'headers 7 end |ok', log: '502 UPE http2_idle_stream', told: goAway },
  'a stream of its own': { sends: 'headers 2 end |ok', log: '502 UPE http2_idle_stream', told: goAway },
  'a pushed stream': { sends: 'frame 5 4 1 0000000288', log: '502 UPE http2_push_refused', told: goAway },
  'DATA on stream 0': { sends: 'frame 0 0 0 61', log: '502 UPE http2_bad_stream_id', told: goAway },
  'SETTINGS on a stream': { sends: 'frame 4 0 1', log: '502 UPE http2_bad_stream_id', told: goAway },
  'SETTINGS of five bytes': {
    sends: 'frame 4 0 0 0001000000',
    log: '502 UPE http2_bad_frame_size',
    told: 'GOAWAY 0 FRAME_SIZE_ERROR',
  },
  'PING of seven bytes': {
    sends: 'frame 6 0 0 00000000000000',
    log: '502 UPE http2_bad_frame_size',
    told: 'GOAWAY 0 FRAME_SIZE_ERROR',
  },
  'RST_STREAM of three bytes': {
    sends: 'frame 3 0 1 000000',
    log: '502 UPE http2_bad_frame_size',
    told: 'GOAWAY 0 FRAME_SIZE_ERROR',
  },
  'a frame beyond the size that was announced': {
    sends: 'headers ID |ok\ndata ID size=16385 |',
    log: '200 UPE http2_frame_too_large',
    told: 'GOAWAY 0 FRAME_SIZE_ERROR',
    breaksOff: true,
  },
  'padding as long as the frame': { sends: 'frame 1 12 1 05', log: '502 UPE http2_bad_padding', told: goAway },
  'a setting that allows push': { sends: 'settings 2=1', log: '502 UPE http2_bad_setting', told: goAway },
  'a window setting past its maximum': {
    sends: 'settings 4=2147483648',
    log: '502 UPE http2_bad_window_setting',
    told: 'GOAWAY 0 FLOW_CONTROL_ERROR',
  },
  'a frame size setting that is too small': { sends: 'settings 5=1', log: '502 UPE http2_bad_setting', told: goAway },
  'a stream that depends on itself': { sends: 'priority 1 1', log: '502 UPE http2_self_dependency', told: goAway },
  'a header block without end': {
    sends: `headers ID open |ok\n${Array.from({ length: 60 }, (_, i) => `continuation ID open |x${i}: ${'v'.repeat(8000)}`).join('\n')}`,
    log: '502 UPE http2_header_block_flood',
    told: 'GOAWAY 0 ENHANCE_YOUR_CALM',
  },
  'headers beyond the limit': {
    sends: `headers ID open |ok\n${Array.from({ length: 8 }, (_, i) => `continuation ID open |x${i}: ${'v'.repeat(7700)}`).join('\n')}\ncontinuation ID |last: 1`,
    log: '502 UPE http2_head_too_large',
    told: reset,
  },
  'PING without end': { sends: '5000 x ping', log: '502 UPE http2_ping_flood', told: 'GOAWAY 0 ENHANCE_YOUR_CALM' },
  'SETTINGS without end': {
    sends: '5000 x settings',
    log: '502 UPE http2_settings_flood',
    told: 'GOAWAY 0 ENHANCE_YOUR_CALM',
  },
  'empty DATA without end': {
    sends: 'headers ID |ok\n20000 x data 1 |',
    log: '200 UPE http2_empty_frame_flood',
    told: 'GOAWAY 0 ENHANCE_YOUR_CALM',
    breaksOff: true,
  },
};

for (const [name, { sends, log, told, breaksOff }] of Object.entries(violations)) {
  test(`answers ${name}`, async (context) => {
    const { proxy, upstream } = await setUp(context, [frames(sends)]);
    const client = await openClient(context, proxy.port());
    // A POST is not repeated, so that each case is seen once.
    client.request('POST', '/', {}, 'body');
    if (breaksOff === true) await client.closed();
    else assert.equal((await client.response()).status, 502);
    const [connection] = upstream.connections;
    const isTold = () => connection?.frames.some((line) => line === told) === true;
    await until(`the upstream is told ${told}; it got ${connection?.frames.join(', ')}`, isTold);
    assert.deepEqual(await proxy.accessLog(), [log]);
    assert.deepEqual(upstream.violations, []);
    upstream.script([ok]);
    const next = await openClient(context, proxy.port());
    assert.equal((await next.fetch('GET', '/next')).status, 200);
    await upstream.inStep();
    assert.deepEqual(upstream.violations, []);
  });
}
