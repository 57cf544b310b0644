// Calls between two threads, here over the two ends of a message channel in one.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { WeftError } from '@weft/lib/error';
import { Channel } from './channel.ts';

type Theirs = {
  readonly double: { readonly argument: number; readonly answer: number };
  readonly note: { readonly argument: string; readonly answer: undefined };
  readonly fail: { readonly argument: null; readonly answer: null };
  readonly never: { readonly argument: null; readonly answer: null };
};
type None = Readonly<Record<never, never>>;

function makePair(context: TestContext) {
  const { port1, port2 } = new MessageChannel();
  context.after(() => port1.close());
  const notes: string[] = [];
  const far = new Channel<Theirs, None>(port2, {
    double: (value) => value * 2,
    note: (text) => {
      if (text === 'bad') throw new Error('a bad note');
      notes.push(text);
      return undefined;
    },
    fail: () => Promise.reject(new WeftError('config', 'it does not work')),
    never: () => new Promise(() => {}),
  });
  return { near: new Channel<None, Theirs>(port1, {}), far, notes };
}

describe('a channel', () => {
  it('brings answers back', async (context) => {
    const { near } = makePair(context);
    assert.deepEqual(await Promise.all([near.call('double', 2), near.call('double', 3)]), [4, 6]);
  });

  it('does what is told in order, before what is asked after it', async (context) => {
    const { near, notes } = makePair(context);
    for (const text of ['one', 'two', 'three']) near.tell('note', text);
    await near.call('double', 1);
    assert.deepEqual(notes, ['one', 'two', 'three']);
  });

  it('brings failures back with their code', async (context) => {
    const { near } = makePair(context);
    await assert.rejects(near.call('fail', null), { code: 'config', message: 'it does not work' });
  });

  it('says where it is done what went wrong with what was only told', async (context) => {
    const { near, far } = makePair(context);
    const failed = new Promise((resolve) => {
      far.onError = resolve;
    });
    near.tell('note', 'bad');
    assert.match(String(await failed), /a bad note/);
  });

  it('leaves nobody waiting when the other side is gone', async (context) => {
    const { near } = makePair(context);
    const asked = near.call('never', null);
    near.close();
    await assert.rejects(asked, /the worker is gone/);
    await assert.rejects(near.call('double', 1), /the worker is gone/);
  });
});
