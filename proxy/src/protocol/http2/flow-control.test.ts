import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Http2Stream } from './connection.ts';
import { parseFrames } from './testing/frame-list.ts';
import { framesOf } from './testing/frame-script.ts';
import { Peer, type PeerOptions } from './testing/peer.ts';

function server(options: PeerOptions = {}, settings = ''): Peer {
  const peer = new Peer('server', options);
  peer.connection.start();
  peer.receive(framesOf(`preface\nsettings ${settings}\nsettings ack`));
  peer.written();
  return peer;
}

function opened(peer: Peer, id = 1): Http2Stream {
  peer.receive(framesOf(`headers ${id} |post`));
  const stream = peer.streams.at(-1);
  assert.ok(stream !== undefined && stream.id === id);
  return stream;
}

const content = Buffer.alloc(200_000, 'x');

describe('what we send', () => {
  test('stops at the window of the stream and goes on when it opens', () => {
    const peer = server({}, '4=10');
    const stream = opened(peer);
    assert.equal(peer.connection.sendData(stream, content, 0, 25, true), 10);
    assert.deepEqual(peer.frames(), ['DATA 1 10']);
    let left = 15;
    peer.onWritableDo = (one) => {
      left -= peer.connection.sendData(one, content, 0, left, true);
    };
    peer.receive(framesOf('window 1 5'));
    assert.equal(left, 10);
    peer.receive(framesOf('window 1 100'));
    assert.equal(left, 0);
    assert.deepEqual(peer.frames(), ['DATA 1 5', 'DATA 1 10 end']);
  });

  test('stops at the window of the connection, and each stream gets its turn', () => {
    const peer = server({}, '4=1000000');
    const first = opened(peer, 1);
    const second = opened(peer, 3);
    assert.equal(peer.connection.sendData(first, content, 0, 100_000, true), 65_535);
    assert.equal(peer.connection.sendData(second, content, 0, 10, true), 0);
    const order: number[] = [];
    peer.onWritableDo = (one) => {
      order.push(one.id);
      peer.connection.sendData(one, content, 0, 100_000, true);
    };
    for (let i = 0; i < 4; i++) peer.receive(framesOf('window 0 10'));
    assert.deepEqual(order, [1, 3, 1, 3]);
  });

  test('keeps to frames of the size that the peer takes', () => {
    const peer = server({}, '4=1000000 5=20000');
    const stream = opened(peer);
    peer.connection.sendData(stream, content, 0, 50_000, true);
    assert.deepEqual(peer.frames(), ['DATA 1 20000', 'DATA 1 20000', 'DATA 1 10000 end']);
  });

  test('waits until a window that SETTINGS made negative is positive again', () => {
    const peer = server({}, '4=100');
    const stream = opened(peer);
    assert.equal(peer.connection.sendData(stream, content, 0, 200, true), 100);
    peer.receive(framesOf('settings 4=40'));
    const taken: number[] = [];
    peer.onWritableDo = (one) => void taken.push(peer.connection.sendData(one, content, 0, 100, true));
    peer.receive(framesOf('window 1 60'));
    assert.deepEqual(taken, [], 'now it is zero');
    peer.receive(framesOf('window 1 1'));
    assert.deepEqual(taken, [1]);
    peer.receive(framesOf('settings 4=90'));
    assert.deepEqual(taken, [1, 50]);
  });

  test('an end without content needs no window', () => {
    const peer = server({}, '4=0');
    const stream = opened(peer);
    assert.equal(peer.connection.sendData(stream, content, 0, 0, true), 0);
    assert.deepEqual(peer.frames(), ['DATA 1 0 end']);
  });

  test('a stream that ran dry a thousand times waits once', () => {
    const peer = server({}, '4=0');
    const stream = opened(peer);
    let woken = 0;
    peer.onWritableDo = (one) => {
      woken++;
      peer.connection.sendData(one, content, 0, 10_000, true);
    };
    peer.connection.sendData(stream, content, 0, 10_000, true);
    for (let i = 0; i < 500; i++) peer.receive(framesOf('window 1 1'));
    assert.equal(woken, 500);
    peer.receive(framesOf('window 0 1'));
    assert.equal(woken, 500, 'the stream has no window');
  });

  test('streams that wait leave from anywhere, also while others are told', () => {
    const peer = server({}, '4=100000');
    const streams = [1, 3, 5, 7, 9, 11].map((id) => opened(peer, id));
    for (const stream of streams) peer.connection.sendData(stream, content, 0, 90_000, true);
    // The first has used up the connection's window; the last three leave: first of the rest, in the middle, at the end.
    peer.receive(framesOf('reset 3 8\nreset 7 8\nreset 11 8'));
    const order: number[] = [];
    peer.onWritableDo = (one) => {
      order.push(one.id);
      const fifth = streams[2] as Http2Stream;
      if (one.id === 1) peer.connection.resetStream(fifth, 8);
      peer.connection.sendData(one, content, 0, 40_000, false);
    };
    peer.receive(framesOf('window 0 30000'));
    assert.deepEqual(order, [1]);
    peer.receive(framesOf('window 0 30000'));
    assert.deepEqual(order, [1, 9]);
    peer.receive(framesOf('window 0 20000'));
    assert.deepEqual(order, [1, 9, 1, 9], 'the first one has used up its own window');
    peer.receive(framesOf('window 0 10'));
    assert.deepEqual(order, [1, 9, 1, 9, 9], 'it lets the other pass');
  });

  test('a stream that is over is not woken', () => {
    const peer = server({}, '4=0');
    const stream = opened(peer);
    peer.connection.sendData(stream, content, 0, 10, true);
    peer.receive(framesOf('reset 1 8'));
    peer.onWritableDo = () => assert.fail('woken');
    peer.receive(framesOf('window 0 1\nsettings 4=100'));
    assert.equal(peer.connection.sendData(stream, content, 0, 10, true), 10, 'late bytes are taken and dropped');
    assert.deepEqual(
      peer.frames().filter((line) => line.startsWith('DATA')),
      [],
    );
  });
});

describe('what we receive', () => {
  const small = { settings: { initialWindowBytes: 1000, connectionWindowBytes: 100_000 } };

  test('is granted again at half of the window, for stream and connection apart', () => {
    const peer = server(small);
    opened(peer);
    peer.receive(framesOf('data 1 size=499'));
    assert.deepEqual(peer.frames(), []);
    peer.receive(framesOf('data 1 size=1'));
    assert.deepEqual(peer.frames(), ['WINDOW_UPDATE 1 500']);
    for (let i = 0; i < 99; i++) peer.receive(framesOf('data 1 size=500'));
    assert.deepEqual(
      peer.frames().filter((line) => line.startsWith('WINDOW_UPDATE 0')),
      ['WINDOW_UPDATE 0 50000'],
    );
  });

  test('beyond the window of a stream resets it, and gives the connection its bytes back', () => {
    const peer = server({ ...small, consumes: false });
    for (let id = 1; id < 400; id += 2) {
      opened(peer, id);
      peer.receive(framesOf(`data ${id} size=1001`));
      assert.equal(peer.events.at(-1), `reset ${id} 3 local`);
      peer.connection.tick();
    }
    assert.equal(peer.connection.error, null);
    assert.equal(peer.bodyOf(1), '', 'none of it is told');
  });

  test('beyond the window does not reach the stream before it', () => {
    const peer = server(small);
    opened(peer, 1);
    peer.receive(framesOf('data 1 |mine'));
    opened(peer, 3);
    peer.receive(framesOf(`data 3 size=1001`));
    assert.equal(peer.bodyOf(1), 'mine');
  });

  test('beyond the window of the connection ends it', () => {
    const peer = server({
      settings: { initialWindowBytes: 1_000_000, connectionWindowBytes: 65_535 },
      consumes: false,
    });
    opened(peer);
    peer.receive(framesOf('5 x data 1 size=16000'));
    assert.equal(peer.connection.error?.code, 'window_exceeded');
  });

  test('is not held against a peer that has not seen our smaller window', () => {
    const peer = new Peer('server', { ...small, consumes: false });
    peer.connection.start();
    peer.receive(framesOf('preface\nsettings\nheaders 1 |post\ndata 1 size=5000'));
    assert.equal(peer.connection.error, null);
    assert.deepEqual(peer.events, ['request 1 POST / a']);
    peer.receive(framesOf('settings ack\nheaders 3 |post\ndata 3 size=1001'));
    assert.equal(peer.events.at(-1), 'reset 3 3 local');
  });

  test('counts padding, and gives it back at once', () => {
    const peer = server({ ...small, consumes: false });
    opened(peer);
    peer.receive(framesOf('data 1 pad=250 |x\ndata 1 pad=250 |x'));
    assert.deepEqual(peer.frames(), ['WINDOW_UPDATE 1 502']);
  });

  test('on streams that ended unread does not use the connection up', () => {
    const peer = server({ settings: { connectionWindowBytes: 65_535 }, consumes: false });
    for (let id = 1; id < 200; id += 2) {
      const stream = opened(peer, id);
      peer.receive(framesOf(`data ${id} size=10000`));
      peer.connection.resetStream(stream, 0);
      peer.receive(framesOf(`data ${id} size=3000`));
    }
    assert.equal(peer.connection.error, null);
    const granted = parseFrames(peer.written()).filter(({ type, id }) => type === 8 && id === 0);
    assert.ok(granted.length > 10);
  });
});
