import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderBlock, Headers } from './header.ts';

test('a view changes without touching the shared block', () => {
  const block = new HeaderBlock(['host', 'x-a', 'x-a'], ['h', '1', '2'], ['Host', 'X-A', 'x-A']);
  const headers = new Headers(block);
  headers.set('x-a', '3');
  headers.add('x-b', '4');
  assert.deepEqual(headers.entries(), [
    ['host', 'h'],
    ['x-a', '3'],
    ['x-b', '4'],
  ]);
  assert.deepEqual(new Headers(block).entries(), [
    ['host', 'h'],
    ['x-a', '1'],
    ['x-a', '2'],
  ]);
  assert.equal(headers.rawNameAt(0), 'Host');
});

test('every value of a repeated header stays apart', () => {
  const headers = Headers.of('Set-Cookie', 'a=1', 'Set-Cookie', 'b=2');
  assert.deepEqual(headers.getAll('set-cookie'), ['a=1', 'b=2']);
});

test('removes beyond the mask', () => {
  const names = Array.from({ length: 40 }, (_, i) => `h${i}`);
  const headers = new Headers(new HeaderBlock(names, names));
  headers.remove('h0');
  headers.remove('h39');
  headers.remove('h35');
  assert.equal(headers.entries().length, 37);
  assert.equal(headers.has('h39'), false);
  assert.equal(headers.get('h38'), 'h38');
});

test('removes by a rule, on either side of the mask, and leaves nothing out', () => {
  for (let size = 28; size < 40; size++) {
    for (let step = 1; step < 6; step++) {
      const names = Array.from({ length: size }, (_, i) => (i % step === 0 ? 'x-out' : `h${i}`));
      const headers = new Headers(new HeaderBlock(names, names));
      headers.remove('h1');
      headers.add('x-out', 'added');
      headers.add('kept', 'added');
      const kept = names.filter((name) => name !== 'x-out' && name !== 'h1');
      const count = names.filter((name) => name === 'x-out').length + 1;
      assert.equal(
        headers.removeWhere((name) => name.startsWith('x-')),
        count,
      );
      assert.deepEqual(
        headers.entries().map(([name]) => name),
        [...kept, 'kept'],
      );
    }
  }
});

test('an added header can be removed again', () => {
  const headers = Headers.of('a', '1');
  headers.add('b', '2');
  assert.equal(headers.remove('b'), true);
  assert.notEqual(headers.pristine, null);
});

test('a clone changes on its own', () => {
  const headers = Headers.of('a', '1');
  headers.add('b', '2');
  const copy = headers.clone();
  copy.remove('b');
  assert.equal(headers.get('b'), '2');
});
