import assert from 'node:assert/strict';
import { test } from 'node:test';
import { framesOf } from './testing/frame-script.ts';
import { Peer, type PeerOptions } from './testing/peer.ts';

const start = 'preface\nsettings\nsettings ack';
const row = Array.from({ length: 12 }, (_, i) => `data 1 |${String.fromCharCode(97 + i)}`).join('\n');
const smallWindow: PeerOptions = { settings: { initialWindowBytes: 10 }, consumes: false };

interface Case {
  readonly frames: string;
  readonly told: readonly string[];
  /** Unless the stream was reset: how much of it was told before that is nobody's business. */
  readonly body?: string;
  readonly options?: PeerOptions;
}

const cases: Readonly<Record<string, Case>> = {
  'a row and its end': {
    frames: `headers 1 |post\n${row}\ndata 1 end |z`,
    told: ['end 1 13 bytes'],
    body: 'abcdefghijklz',
  },
  'a row and trailers': {
    frames: `headers 1 |post\n${row}\nheaders 1 end |a: b`,
    told: ['trailers 1', '  a: b'],
    body: 'abcdefghijkl',
  },
  'a row with a PING in it': {
    frames: `headers 1 |post\n${row}\nping\n${row}`,
    told: [],
    body: 'abcdefghijkl'.repeat(2),
  },
  'rows of two streams': {
    frames: `headers 1 |post\nheaders 3 |post\n${row}\n${row.replaceAll('data 1', 'data 3')}\n${row}`,
    told: [],
    body: 'abcdefghijkl'.repeat(2),
  },
  'a row that is as long as announced': {
    frames: `headers 1 |post|content-length: 12\n${row}\ndata 1 end |`,
    told: ['end 1 12 bytes'],
    body: 'abcdefghijkl',
  },
  'a row that is longer than announced': {
    frames: `headers 1 |post|content-length: 9\n${row}`,
    told: ['reset 1 1 local'],
    options: { limits: { closesOnMalformed: false } },
  },
  'a row beyond the window of its stream': {
    frames: `headers 1 |post\n${row}`,
    told: ['reset 1 3 local'],
    options: smallWindow,
  },
  'a row with an empty frame and one of another kind of flags in it': {
    frames: `headers 1 |post\n${row}\ndata 1 |\n${row}\ndata 1 flags=2 |z\n${row}`,
    told: [],
    body: `${'abcdefghijkl'.repeat(2)}zabcdefghijkl`,
  },
  'rows with single empty frames between them': {
    frames: `headers 1 |post\n${row}\ndata 1 |\n${row}\ndata 1 |\n${row}\ndata 1 |\n${row}`,
    told: [],
    body: 'abcdefghijkl'.repeat(4),
  },
};

function told(one: Case, cutsEachByte: boolean): { events: string[]; body: string } {
  const peer = new Peer('server', one.options);
  peer.connection.start();
  peer.receive(framesOf(start));
  const bytes = framesOf(one.frames);
  peer.receive(bytes, cutsEachByte ? Array.from({ length: bytes.length - 1 }, (_, i) => i + 1) : []);
  return { events: peer.events.filter((event) => !event.trim().startsWith('request')), body: peer.bodyOf(1) };
}

for (const [name, one] of Object.entries(cases)) {
  test(`tells the same whether it comes at once or byte by byte: ${name}`, () => {
    const whole = told(one, false);
    const parts = told(one, true);
    assert.deepEqual(whole.events, parts.events);
    assert.deepEqual(
      whole.events.filter((event) => !event.startsWith('  content-length')),
      one.told,
    );
    if (one.body === undefined) return;
    assert.equal(whole.body, one.body);
    assert.equal(parts.body, one.body);
  });
}

test('puts a long row of tiny frames together', () => {
  const peer = new Peer('server');
  peer.connection.start();
  peer.receive(framesOf(`${start}\nheaders 1 |post\n${row}`));
  assert.deepEqual(peer.bodies.get(1)?.map(String), ['a', 'b', 'c', 'd', 'efghijkl']);
});
