// What a connection keeps in memory when nothing is under way, after a peer that wanted it to be much.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ByteWriter } from '@weft/lib/bytes';
import { Headers } from '@weft/lib/header';
import { encodeRequestHead, FRAMING_NONE } from '../http1/encode.ts';
import { Http2Connection, type Http2Sink, type Http2Stream } from './connection.ts';
import type { H2RequestHead } from './message.ts';
import { defaultLimits, defaultSettings } from './settings.ts';
import { framesOf } from './testing/frame-script.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const noContent = Headers.of();
const onwards = new ByteWriter(256 * 1024);

/** Passes each request on over HTTP/1 and answers it; keeps nothing of it. */
function server(): Http2Connection {
  const out = new ByteWriter();
  const sink: Http2Sink = {
    onRequest: (stream: Http2Stream, { method, path, authority, block }: H2RequestHead) => {
      onwards.reset();
      encodeRequestHead(onwards, method, path, authority, new Headers(block), FRAMING_NONE);
      connection.sendResponseHead(stream, 204, noContent, true);
    },
    onData() {},
    onTrailers() {},
    onReset() {},
    onWritable() {},
    onGoAway() {},
    onConnectionError() {},
  };
  const connection = new Http2Connection('server', defaultSettings, defaultLimits, sink, () => {
    out.reset();
    return out;
  });
  connection.start();
  return connection;
}

// Twice: what the first time finds unused beside its heap is given back in its own time, and by the second at the latest.
function memory(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const connections = 20;

/** KiB that each of several connections keeps of what it received. */
function keptKib(bytes: Buffer): number {
  const list = Array.from({ length: connections }, server);
  const before = memory();
  for (const connection of list) connection.decode(bytes, 0, bytes.length);
  const kept = memory() - before;
  for (const { error } of list) assert.equal(error, null);
  return kept / connections / 1024;
}

const get = '828684010161';

/** `x: letter letter ...`, which enters the table. */
function entry(letter: number): string {
  return `4001787fa11e${Buffer.alloc(4000, letter).toString('hex')}`;
}

/** A request whose block is cut into frames. */
function request(id: number, hex: string): string {
  const pieces = hex.match(/.{1,30000}/g) ?? [];
  const lines = pieces.map((piece, i) => {
    const open = i < pieces.length - 1 ? 'open ' : '';
    return i === 0 ? `headers ${id} end ${open}hex=${piece}` : `continuation ${id} ${open}hex=${piece}`;
  });
  return lines.join('\n');
}

describe('an idle connection', () => {
  test('keeps a table of the size that it offered, whatever went through it, and no header block', () => {
    const entries = Array.from({ length: 14 }, (_, i) => entry(97 + i)).join('');
    const requests = Array.from({ length: 18 }, (_, i) => request(2 * i + 1, get + entries));
    const kib = keptKib(framesOf(`preface\nsettings\n${requests.join('\n')}`));
    assert.ok(kib < 40, `${kib.toFixed(0)} KiB`);
  });

  test('keeps few heads for blocks that came before, however much a byte of these stands for', () => {
    const cookie = `4006636f6f6b69657fa11e${Buffer.alloc(4000, 'c').toString('hex')}`;
    const lines = [request(1, get + cookie)];
    for (let number = 0; number < 192; number++) {
      const path = Buffer.from(`/${10 + (number % 64)}`).toString('hex');
      lines.push(request(2 * number + 3, `82860403${path}010161${'be'.repeat(14)}`));
    }
    const kib = keptKib(framesOf(`preface\nsettings\n${lines.join('\n')}`));
    assert.ok(kib < 80, `${kib.toFixed(0)} KiB`);
  });
});
