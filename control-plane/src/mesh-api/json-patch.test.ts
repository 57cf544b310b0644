import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonPatch } from './json-patch.ts';

test('moves and copies, and leaves the old value as it was', () => {
  const before = { a: { b: [1, 2] }, c: 3 };
  const patch = [
    { op: 'copy', from: '/a', path: '/d' },
    { op: 'add', path: '/d/b/-', value: 3 },
    { op: 'move', from: '/a/b', path: '/e' },
  ];
  assert.deepEqual(jsonPatch(before, patch), { value: { a: {}, c: 3, d: { b: [1, 2, 3] }, e: [1, 2] } });
  assert.deepEqual(before, { a: { b: [1, 2] }, c: 3 });
  assert.deepEqual(jsonPatch(before, [{ op: 'move', from: '/a', path: '/a/b/c' }]), {
    problem: 'operation 0: nothing holds /a/b/c',
  });
});

test('is the same patch when it is applied again', () => {
  const patch = [
    { op: 'add', path: '/list', value: [] },
    { op: 'add', path: '/list/-', value: 1 },
  ];
  assert.deepEqual(jsonPatch({}, patch), { value: { list: [1] } });
  assert.deepEqual(jsonPatch({}, patch), { value: { list: [1] } });
});

test('copies no more in all than a body may have', () => {
  const patch = Array.from({ length: 40 }, (_, index) => ({ op: 'copy', from: '', path: `/x${index}` }));
  assert.deepEqual(jsonPatch({ a: 'x'.repeat(1024) }, patch), {
    problem: 'operation 11: the patch copies more than 3145728 bytes in all',
  });
  assert.ok('value' in jsonPatch({ a: 'x'.repeat(1024) }, patch.slice(0, 10)));
});
