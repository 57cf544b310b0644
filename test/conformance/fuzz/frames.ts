// Fuzzes the frame layer alone: however the bytes are cut, the same frames come out of it, and they are those that stand in the bytes.

import assert from 'node:assert/strict';
import type { Http2Error } from '@weft/proxy/protocol/http2/error';
import { type FrameHead, FrameReader, type FrameSink } from '@weft/proxy/protocol/http2/frame/reader';
import { Random } from '@weft/proxy/protocol/http2/testing/random';
import { contentOf, FrameSplitter } from '../../kit/http2/frame-splitter.ts';

const maxFrameBytes = 16_384;

/** What a run saw. */
export interface FramesResult {
  readonly frames: number;
  readonly refused: number;
}

class Recorder implements FrameSink {
  readonly lines: string[] = [];
  private readonly data: Buffer[] = [];
  private head = '';

  onFrameHead(type: number, flags: number, id: number): Http2Error | null {
    this.head = `${type} ${flags} ${id}`;
    return null;
  }

  onDataEnd(_buffer: Buffer, start: number): number {
    return start;
  }

  onDataPart(buffer: Buffer, offset: number, length: number, isLast: boolean): Http2Error | null {
    this.data.push(Buffer.from(buffer.subarray(offset, offset + length)));
    if (isLast) this.lines.push(`${this.head} ${Buffer.concat(this.data.splice(0)).toString('hex')}`);
    return null;
  }

  onFrame(_frame: FrameHead, payload: Buffer, start: number, end: number): Http2Error | null {
    this.lines.push(`${this.head} ${payload.toString('hex', start, end)}`);
    return null;
  }
}

function read(bytes: Buffer, cuts: readonly number[]): { lines: string[]; error: string | null } {
  const recorder = new Recorder();
  const reader = new FrameReader(maxFrameBytes, recorder);
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    // The reader may keep nothing of what it was given.
    const part = Buffer.from(bytes.subarray(at, cut));
    const error = reader.read(part, 0, part.length);
    part.fill(0xff);
    if (error !== null) return { lines: recorder.lines, error: error.code };
    at = cut;
  }
  return { lines: recorder.lines, error: null };
}

// As a reader without any state finds them.
function expectedLines(bytes: Buffer): string[] {
  const splitter = new FrameSplitter();
  splitter.push(bytes);
  const lines: string[] = [];
  const tellWhole = (): void => {
    for (let frame = splitter.next(); frame !== null; frame = splitter.next()) {
      const content = frame.type === 0 ? contentOf(frame) : frame.payload;
      lines.push(`${frame.type} ${frame.flags} ${frame.id} ${content?.toString('hex')}`);
    }
  };
  tellWhole();
  splitter.push(Buffer.alloc(missingPadding(bytes.subarray(bytes.length - splitter.rest))));
  tellWhole();
  return lines;
}

// Content is told when it is all there; nobody waits for the padding behind it.
function missingPadding(rest: Buffer): number {
  const isPadded = rest.length > 9 && rest[3] === 0 && ((rest[4] ?? 0) & 8) !== 0;
  if (!isPadded) return 0;
  const end = 9 + rest.readUIntBE(0, 3);
  return rest.length >= end - (rest[9] ?? 0) ? end - rest.length : 0;
}

function randomFrame(random: Random): Buffer {
  const payload = random.bytes(random.below(random.below(8) === 0 ? 80 : 12));
  const head = Buffer.alloc(9);
  head.writeUIntBE(random.below(30) === 0 ? random.below(20_000) : payload.length, 0, 3);
  head[3] = random.below(3) === 0 ? 0 : random.below(12);
  head[4] = random.pick([0, 1, 4, 8, 9, 0x20, random.below(256)]);
  head.writeUInt32BE(random.pick([0, 1, 3, 0x80000001, random.below(2 ** 31)]), 5);
  return Buffer.concat([head, payload]);
}

/** Runs that many inputs; throws at the first that breaks an invariant, naming it. */
export function fuzzFrames(inputs: number, seed: number): FramesResult {
  const random = new Random(seed);
  let frames = 0;
  let refused = 0;
  for (let number = 0; number < inputs; number++) {
    const bytes = Buffer.concat(Array.from({ length: 1 + random.below(4) }, () => randomFrame(random)));
    try {
      const whole = read(bytes, []);
      const everyByte = Array.from({ length: bytes.length }, (_, at) => at);
      assert.deepEqual(read(bytes, everyByte), whole, 'byte by byte');
      for (let cut = 1; cut < bytes.length; cut++) assert.deepEqual(read(bytes, [cut]), whole, `cut at ${cut}`);
      if (whole.error === null) assert.deepEqual(whole.lines, expectedLines(bytes));
      else refused++;
      frames += whole.lines.length;
    } catch (cause) {
      throw new Error(`input ${number} of seed ${seed}: ${bytes.toString('hex')}`, { cause });
    }
  }
  return { frames, refused };
}
