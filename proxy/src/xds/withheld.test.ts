// Updates that were committed and could not be carried out at once, and those that follow each other before the first is answered.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Issue } from '@weft/lib/issue';
import { resourcePath } from '@weft/lib/issue';
import { type Bed, listenerFor, makeBed, open } from './testing/ads-bed.ts';
import type { FakeStream, SeenRequest } from './testing/fake-ads-server.ts';

/** What is answered to the response, whatever else is asked for. */
async function answerTo(stream: FakeStream, nonce: string): Promise<SeenRequest> {
  const request = await stream.next();
  return request.responseNonce === nonce ? request : answerTo(stream, nonce);
}

/** Says of these listeners that they have no address. */
function unbound(names: ReadonlySet<string>): (kind: string, asked: readonly string[]) => Issue[] {
  return (_kind, asked) =>
    asked
      .filter((name) => names.has(name))
      .map((name) => ({
        code: 'WEFT0150',
        level: 'error',
        path: resourcePath('listener', name),
        message: 'no address',
      }));
}

/** Answers when the test says so. */
class Settling {
  private readonly over: (() => void)[] = [];
  private next = Promise.withResolvers<void>();
  readonly settle = (done: () => void): void => {
    this.over.push(done);
    this.next.resolve();
  };

  async begun(): Promise<void> {
    await this.next.promise;
    this.next = Promise.withResolvers();
  }

  end(): void {
    for (const done of this.over.splice(0)) done();
  }
}

function view(bed: Bed) {
  return bed.client.state().kinds.find(({ kind }) => kind === 'listener');
}

const a = listenerFor('a', 'r');
const b = listenerFor('b', 'r');

test('what is carried out after all is no longer shown as refused', async () => {
  const failing = new Set(['a']);
  const bed = await makeBed({ variant: 'DELTA_GRPC', verify: unbound(failing) });
  const stream = await open(bed);
  const nonce = stream.respondDelta('listener', [['a', '1', a]]);
  assert.notEqual((await answerTo(stream, nonce)).errorDetail, undefined);
  const status = () => bed.client.resources('listener').map((one) => one.clientStatus);
  assert.deepEqual(status(), ['NACKED']);
  failing.clear();
  bed.client.review();
  assert.equal((await answerTo(stream, nonce)).errorDetail, undefined);
  assert.deepEqual(status(), ['ACKED']);
  assert.equal(view(bed)?.lastRefusal, null);
});

test('the acknowledgement of an update leaves alone what is known of a later one', async () => {
  const settling = new Settling();
  const bed = await makeBed({ variant: 'DELTA_GRPC', settle: settling.settle });
  const stream = await open(bed);
  const first = stream.respondDelta('listener', [['a', '1', a]]);
  await settling.begun();
  bed.listeners.refuse = () => true;
  const second = stream.respondDelta('listener', [['b', '1', b]]);
  await settling.begun();
  settling.end();
  assert.equal((await answerTo(stream, first)).errorDetail, undefined);
  assert.notEqual((await answerTo(stream, second)).errorDetail, undefined);
  assert.match(view(bed)?.lastRefusal?.details ?? '', /refused by the test/);
});

test('an update that another one followed is not acknowledged after that', async () => {
  const failing = new Set(['a']);
  const settling = new Settling();
  const bed = await makeBed({ variant: 'DELTA_GRPC', settle: settling.settle, verify: unbound(failing) });
  const stream = await open(bed);
  const first = stream.respondDelta('listener', [['a', '1', a]]);
  await settling.begun();
  const second = stream.respondDelta('listener', [['b', '1', b]]);
  await settling.begun();
  settling.end();
  assert.notEqual((await answerTo(stream, first)).errorDetail, undefined);
  assert.equal((await answerTo(stream, second)).errorDetail, undefined);
  const version = view(bed)?.version;
  failing.clear();
  bed.client.review();
  assert.equal(view(bed)?.version, version);
});
