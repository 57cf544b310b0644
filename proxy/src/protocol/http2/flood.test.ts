// Each flood ends the connection with its cause; what an honest peer does in a second does not.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Headers } from '@weft/lib/header';
import { frameLines } from './testing/frame-list.ts';
import { framesOf } from './testing/frame-script.ts';
import { Peer } from './testing/peer.ts';

function server(): Peer {
  const peer = new Peer('server');
  peer.connection.start();
  peer.receive(framesOf('preface\nsettings'));
  return peer;
}

function client(): Peer {
  const peer = new Peer('client');
  peer.connection.start();
  peer.open();
  peer.receive(framesOf('settings'));
  return peer;
}

function errorOf(peer: Peer): string | null {
  return peer.connection.error?.code ?? null;
}

interface Flood {
  readonly name: string;
  readonly start: () => Peer;
  readonly before?: string;
  /** `@` is the identifier of a fresh stream. */
  readonly each: string;
  /** So many are taken, the next one is not. */
  readonly taken: number;
  readonly cause: string;
}

const floods: readonly Flood[] = [
  {
    name: 'streams reset at once',
    start: server,
    each: 'headers @ |post\nreset @ 8',
    taken: 250,
    cause: 'reset_flood',
  },
  {
    name: 'streams that we are made to reset',
    start: server,
    each: 'headers @ |post\nwindow @ 0',
    taken: 250,
    cause: 'reset_flood',
  },
  {
    name: 'streams that overflow their window',
    start: server,
    each: 'headers @ |post\nwindow @ 2147483647',
    taken: 250,
    cause: 'reset_flood',
  },
  { name: 'malformed requests', start: server, each: 'headers @ end |get|Bad: 1', taken: 125, cause: 'reset_flood' },
  { name: 'PING', start: server, each: 'ping', taken: 100, cause: 'ping_flood' },
  { name: 'acknowledged PING', start: server, each: 'ping ack', taken: 100, cause: 'ping_flood' },
  { name: 'SETTINGS', start: server, each: 'settings 4=70000', taken: 49, cause: 'settings_flood' },
  { name: 'acknowledged SETTINGS', start: server, each: 'settings ack', taken: 50, cause: 'settings_flood' },
  {
    name: 'empty DATA',
    start: server,
    before: 'headers 1 |post',
    each: 'data 1',
    taken: 1,
    cause: 'empty_frame_flood',
  },
  {
    name: 'empty DATA among others',
    start: server,
    before: 'headers 1 |post',
    each: 'data 1 |x\ndata 1',
    taken: 100,
    cause: 'empty_frame_flood',
  },
  {
    name: 'empty CONTINUATION',
    start: server,
    before: 'headers 1 open |get',
    each: 'continuation 1 open',
    taken: 1,
    cause: 'empty_frame_flood',
  },
  {
    name: 'DATA of padding alone',
    start: server,
    before: 'headers 1 |post',
    each: 'data 1 pad=7',
    taken: 1,
    cause: 'empty_frame_flood',
  },
  { name: 'PRIORITY', start: server, each: 'priority 1 3', taken: 100, cause: 'priority_flood' },
  { name: 'WINDOW_UPDATE', start: server, each: 'window 0 1', taken: 5, cause: 'window_update_flood' },
  {
    name: 'CONTINUATION',
    start: server,
    before: 'headers 1 open |get',
    each: 'continuation 1 open |a: 1',
    taken: 16,
    cause: 'header_block_flood',
  },
  {
    name: 'large CONTINUATION',
    start: server,
    before: 'headers 1 open |get',
    each: `continuation 1 open |a: ${'x'.repeat(16_000)}`,
    taken: 4,
    cause: 'header_block_flood',
  },
  {
    name: 'informational responses, also after their stream was reset,',
    start: client,
    each: 'headers 1 |:status: 103',
    taken: 16 + 1 + 4 + 100,
    cause: 'empty_frame_flood',
  },
  { name: 'GOAWAY', start: client, each: 'goaway 2147483647 0', taken: 49, cause: 'settings_flood' },
];

describe('a flood', () => {
  for (const { name, start, before, each, taken, cause } of floods) {
    test(`of ${name} is ended, and not before its limit`, () => {
      const peer = start();
      if (before !== undefined) peer.receive(framesOf(before));
      let id = 1;
      const send = () => {
        peer.receive(framesOf(each.replaceAll('@', String(id))));
        id += 2;
      };
      for (let i = 0; i < taken; i++) send();
      assert.equal(errorOf(peer), null, 'too early');
      send();
      assert.equal(errorOf(peer), cause);
      assert.match(frameLines(peer.written()).at(-1) ?? '', /^GOAWAY \d+ ENHANCE_YOUR_CALM$/);
      const told = peer.events.length;
      send();
      assert.equal(peer.events.length, told, 'nothing more is read');
      assert.equal(peer.out.length, 0, 'nothing more is written');
    });
  }
});

describe('an honest peer', () => {
  test('may cancel every third of its requests at any rate', () => {
    const peer = server();
    for (let id = 1; id < 20_000; id += 2) {
      peer.receive(framesOf(`headers ${id} |post`));
      if (id % 3 === 0) peer.receive(framesOf(`reset ${id} 8`));
      else {
        peer.receive(framesOf(`data ${id} end |x`));
        const stream = peer.streams.at(-1);
        if (stream !== undefined) peer.connection.resetStream(stream, 0);
      }
      peer.out.reset();
    }
    assert.equal(errorOf(peer), null);
  });

  test('may go on at half of each limit, second by second', () => {
    const peer = server();
    for (let second = 0; second < 20; second++) {
      peer.receive(framesOf('45 x ping\n20 x settings\n5 x priority 1 3'));
      peer.connection.tick();
    }
    assert.equal(errorOf(peer), null);
  });

  test('may give up many streams that it has had for long, or that were answered', () => {
    const peer = server();
    for (let id = 1; id <= 199; id += 2) peer.receive(framesOf(`headers ${id} |post`));
    for (let i = 0; i < 2; i++) peer.connection.tick();
    for (let id = 1; id <= 199; id += 2) peer.receive(framesOf(`reset ${id} 8`));
    for (let id = 201; id <= 799; id += 2) {
      peer.receive(framesOf(`headers ${id} |post`));
      const stream = peer.streams.at(-1);
      assert.ok(stream !== undefined);
      peer.connection.sendResponseHead(stream, 200, Headers.of(), false);
      peer.receive(framesOf(`reset ${id} 8`));
      peer.out.reset();
    }
    assert.equal(errorOf(peer), null);
  });

  test('may send early hints before each response', () => {
    const peer = new Peer('client');
    peer.connection.start();
    peer.receive(framesOf('settings'));
    for (let id = 1; id < 2000; id += 2) {
      peer.open();
      peer.receive(framesOf(`3 x headers ${id} |:status: 103\nheaders ${id} end |ok`));
      peer.out.reset();
    }
    assert.equal(errorOf(peer), null);
  });

  test('may answer late what was given up', () => {
    const peer = new Peer('client');
    peer.connection.start();
    peer.receive(framesOf('settings'));
    const streams = Array.from({ length: 1500 }, () => peer.open());
    for (const stream of streams) if (stream !== null) peer.connection.resetStream(stream, 8);
    for (const stream of streams) peer.receive(framesOf(`headers ${stream?.id} |ok\nheaders ${stream?.id} end |a: b`));
    peer.open();
    peer.receive(framesOf('headers 3001 end |ok'));
    assert.equal(errorOf(peer), null);
    assert.match(peer.events.at(-1) ?? '', /^response 3001 200/);
  });

  test('may open windows as often as it gets data', () => {
    const peer = server();
    peer.receive(framesOf('window 0 1000000000\nheaders 1 end |get\nwindow 1 1000000000'));
    const [stream] = peer.streams;
    assert.ok(stream !== undefined);
    for (let i = 0; i < 5000; i++) {
      peer.connection.sendData(stream, Buffer.from('hello'), 0, 5, false);
      peer.receive(framesOf('window 0 5\nwindow 1 5'));
    }
    assert.equal(errorOf(peer), null);
  });

  test('may open both windows for each 4 KiB of long frames, as servers in Go do', () => {
    const peer = server();
    peer.receive(framesOf('settings 4=10000000 5=1048576\nwindow 0 10000000\nheaders 1 end |get'));
    const [stream] = peer.streams;
    assert.ok(stream !== undefined);
    const content = Buffer.alloc(65_536);
    for (let i = 0; i < 100; i++) {
      peer.connection.sendData(stream, content, 0, content.length, false);
      peer.receive(framesOf('16 x window 0 4096\n16 x window 1 4096'));
    }
    assert.equal(errorOf(peer), null);
    assert.equal(peer.frames().filter((line) => line.startsWith('DATA')).length, 100);
  });

  test('may measure the connection by a PING behind each DATA frame, as gRPC in Go does', () => {
    const peer = server();
    peer.receive(framesOf('headers 1 end |get\nwindow 0 1000000\nwindow 1 1000000'));
    const [stream] = peer.streams;
    assert.ok(stream !== undefined);
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < 1000; i++) {
        peer.connection.sendData(stream, Buffer.from('hello'), 0, 5, false);
        peer.receive(framesOf('ping'));
      }
      peer.connection.tick();
    }
    assert.equal(errorOf(peer), null);
    peer.receive(framesOf('102 x ping'));
    assert.equal(errorOf(peer), 'ping_flood');
  });
});

describe('a peer that does not read', () => {
  const limits = { maxOutboundFrames: 20, maxOutboundControlFrames: 10, maxPings: 1000, maxSettings: 1000 };

  test('is left after as many answers to its frames as may wait', () => {
    const peer = new Peer('server', { limits });
    peer.isCongested = true;
    peer.receive(framesOf('preface\nsettings\n9 x ping'));
    assert.equal(errorOf(peer), null);
    peer.receive(framesOf('ping'));
    assert.equal(errorOf(peer), 'outbound_control_flood');
  });

  test('is left after as many frames of any kind', () => {
    const peer = new Peer('server', { limits });
    peer.receive(framesOf('preface\nsettings\nheaders 1 end |get'));
    peer.isCongested = true;
    const [stream] = peer.streams;
    assert.ok(stream !== undefined);
    for (let i = 0; i < 21; i++) peer.connection.sendData(stream, Buffer.from('x'), 0, 1, false);
    peer.receive(framesOf('ping'));
    assert.equal(errorOf(peer), 'outbound_flood');
  });

  test('may let as many wait again once what waited has left', () => {
    const peer = new Peer('server', { limits });
    peer.receive(framesOf('preface\nsettings'));
    for (let i = 0; i < 10; i++) {
      peer.isCongested = true;
      peer.receive(framesOf('8 x ping'));
      peer.isCongested = false;
      peer.connection.onFlushed();
    }
    assert.equal(errorOf(peer), null);
  });
});

test('a malformed message ends its connection where that is wanted', () => {
  const peer = new Peer('server', { limits: { closesOnMalformed: true } });
  peer.receive(framesOf('preface\nsettings\nheaders 1 end |get|Bad: 1'));
  assert.equal(errorOf(peer), 'malformed_head');
  assert.match(frameLines(peer.written()).at(-1) ?? '', /^GOAWAY \d+ PROTOCOL_ERROR$/);
});

describe('a peer that does not finish', () => {
  const cases: readonly (readonly [name: string, script: string, cut: number, cause: string])[] = [
    ['its SETTINGS', 'preface', 0, 'slow_settings'],
    ['a frame', 'preface\nsettings\nheaders 1 end |get', 3, 'slow_frame'],
    ['the head of a frame', 'preface\nsettings\nping', 12, 'slow_frame'],
    ['a header block', 'preface\nsettings\nheaders 1 end open |get', 0, 'slow_frame'],
  ];
  for (const [name, script, cut, cause] of cases) {
    test(`${name} within fifteen ticks is told so`, () => {
      const peer = new Peer('server');
      peer.connection.start();
      const bytes = framesOf(script);
      peer.receive(bytes.subarray(0, bytes.length - cut));
      for (let i = 0; i < 15; i++) peer.connection.tick();
      assert.equal(errorOf(peer), null);
      peer.connection.tick();
      assert.equal(errorOf(peer), cause);
    });
  }

  test('in time is not blamed while we do not read', () => {
    const peer = new Peer('server');
    const bytes = framesOf('preface\nsettings\nheaders 1 end |get');
    peer.receive(bytes.subarray(0, bytes.length - 3));
    for (let i = 0; i < 100; i++) peer.connection.tick(false);
    assert.equal(errorOf(peer), null);
    for (let i = 0; i < 16; i++) peer.connection.tick();
    assert.equal(errorOf(peer), 'slow_frame');
  });

  test('DATA may take its time', () => {
    const peer = new Peer('server');
    const bytes = framesOf('preface\nsettings\nheaders 1 |post\ndata 1 |hello');
    peer.receive(bytes.subarray(0, bytes.length - 2));
    for (let i = 0; i < 100; i++) peer.connection.tick();
    assert.equal(errorOf(peer), null);
  });
});
