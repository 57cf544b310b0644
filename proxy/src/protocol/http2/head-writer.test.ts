import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter } from '@weft/lib/bytes';
import { HeaderBlock, Headers } from '@weft/lib/header';
import { HeadWriter } from './head-writer.ts';
import { HpackDecoder, OK } from './hpack/decoder.ts';

/** The fields of a response with these headers, written several times so that kept blocks are used. */
function written(headers: Headers): [string, string][] {
  const writer = new HeadWriter();
  const decoder = new HpackDecoder(4096, 10_000, 100);
  const out = new ByteWriter();
  for (let round = 0; round < 4; round++) {
    out.reset();
    writer.writeResponse(out, 1, 200, headers, true);
    const bytes = Buffer.from(out.view());
    assert.equal(decoder.decode(bytes, 9, bytes.length), OK);
  }
  return decoder.names.map((name, at): [string, string] => [name, decoder.values[at] ?? '']).slice(1);
}

function block(...pairs: [string, string][]): Headers {
  return new Headers(
    new HeaderBlock(
      pairs.map(([name]) => name),
      pairs.map(([, value]) => value),
    ),
  );
}

test('leaves out what Connection says is for one hop', () => {
  const headers = block(['connection', 'X-Hop, close, te'], ['x-hop', '1'], ['te', 'gzip, trailers'], ['x', 'y']);
  assert.deepEqual(written(headers), [
    ['te', 'trailers'],
    ['x', 'y'],
  ]);
});

test('writes a field of that name that was set here', () => {
  const headers = block(['connection', 'x-hop'], ['x-hop', '1']);
  headers.remove('x-hop');
  headers.add('x-hop', '2');
  assert.deepEqual(written(headers), [['x-hop', '2']]);
});

test('leaves out what HTTP/2 has no place for, whoever set it', () => {
  const headers = block(['keep-alive', 'timeout=5'], ['transfer-encoding', 'chunked'], ['x', 'y']);
  headers.add('connection', 'close');
  headers.add('upgrade', 'websocket');
  assert.deepEqual(written(headers), [['x', 'y']]);
});
