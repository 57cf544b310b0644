import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter } from '@weft/lib/bytes';
import { HeldBytes, heldBytes, ReceiveFlow } from './receive-flow.ts';
import { defaultSettings } from './settings.ts';
import { Http2Stream } from './stream.ts';
import { frameLines } from './testing/frame-list.ts';
import { framesOf } from './testing/frame-script.ts';
import { Peer } from './testing/peer.ts';

const settings = { ...defaultSettings, initialWindowBytes: 100_000, connectionWindowBytes: 200_000 };

class Scene {
  readonly held: HeldBytes;
  readonly flow: ReceiveFlow;
  private readonly out = new ByteWriter(1024);

  constructor(max: number) {
    this.held = new HeldBytes(max);
    this.flow = new ReceiveFlow(settings, () => this.out, this.held);
    this.flow.start();
    this.frames();
  }

  stream(id: number): Http2Stream {
    return new Http2Stream(id, 0, this.flow.initialWindow, 0);
  }

  receive(stream: Http2Stream, bytes: number): boolean {
    stream.receiveWindow -= bytes;
    return this.flow.take(bytes);
  }

  frames(): string[] {
    const lines = frameLines(Buffer.from(this.out.view()));
    this.out.reset();
    return lines;
  }
}

test('what is held leaves the window of the connection to other streams, and that of its own stream shut', () => {
  const scene = new Scene(1_000_000);
  for (let id = 1; id < 20; id += 2) {
    const stream = scene.stream(id);
    assert.ok(scene.receive(stream, 100_000), `stream ${id}`);
    scene.flow.hold(stream, 100_000);
    assert.deepEqual(scene.frames(), ['WINDOW_UPDATE 0 100000']);
    if (id !== 19) continue;
    scene.flow.consume(stream, 100_000);
    assert.deepEqual(scene.frames(), [`WINDOW_UPDATE 19 100000`]);
  }
});

test('beyond the bound it counts against the connection, until others let go', () => {
  const scene = new Scene(150_000);
  const [first, second] = [scene.stream(1), scene.stream(3)];
  for (const stream of [first, second]) {
    assert.ok(scene.receive(stream, 100_000));
    scene.flow.hold(stream, 100_000);
  }
  assert.deepEqual(scene.frames(), ['WINDOW_UPDATE 0 100000']);
  assert.equal(scene.flow.left, 100_000);
  scene.flow.consume(second, 100_000);
  assert.deepEqual(scene.frames(), ['WINDOW_UPDATE 0 100000', 'WINDOW_UPDATE 3 100000']);
  scene.flow.release(first);
  scene.flow.letGo(first);
  assert.deepEqual(scene.frames(), [], 'it was given back before');
  assert.equal(scene.flow.left, 200_000);
  assert.equal(scene.held.bytes, 0);
});

for (const [name, end] of [
  ['its stream', 'reset 1 8\nreset 3 8'],
  ['the connection', ''],
  ['a connection that broke the protocol', 'frame 0 0 0 00'],
] as const) {
  test(`the end of ${name} lets go of what was held`, () => {
    const peer = new Peer('server', { consumes: false });
    peer.receive(framesOf('preface\nsettings'));
    for (const id of [1, 3]) {
      peer.receive(framesOf(`headers ${id} |post\ndata ${id} size=1000`));
      peer.connection.hold(peer.streams.at(-1) as Http2Stream, 1000);
    }
    assert.equal(heldBytes.server.bytes, 2000);
    peer.receive(framesOf(end));
    if (!end.startsWith('reset')) peer.connection.onClosed();
    assert.equal(heldBytes.server.bytes, 0);
  });
}
