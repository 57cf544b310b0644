import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderBlock } from '@weft/lib/header';
import { SectionCache } from './section-cache.ts';

const block = (value: string): HeaderBlock => new HeaderBlock(['x'], [value]);

test('gives back what was put, and nothing else', () => {
  const cache = new SectionCache();
  const kept = block('1');
  cache.put('a', kept);
  assert.equal(cache.get('a'), kept);
  assert.equal(cache.get('b'), null);
});

test('stays bounded and keeps what is used again', () => {
  const cache = new SectionCache();
  const kept = block('kept');
  cache.put('kept', kept);
  for (let number = 0; number < 2000; number++) {
    cache.put(`x${number}`, block(''));
    assert.equal(cache.get('kept'), kept);
  }
  assert.ok(cache.size <= 513, `${cache.size} entries`);
});

test('counts bytes too', () => {
  const cache = new SectionCache();
  for (let number = 0; number < 300; number++) cache.put(`${number}`.padEnd(2000), block(''));
  assert.ok(cache.size <= 132, `${cache.size} entries of 2,000 bytes`);
});

test('does not take long texts', () => {
  assert.equal(new SectionCache().takes(2049), false);
  assert.equal(new SectionCache().takes(2048), true);
});

test('rests while every text is another, then tries again', () => {
  const cache = new SectionCache();
  for (let number = 0; number < 1024; number++) cache.get(`${number}`);
  assert.equal(cache.takes(10), false);
  for (let number = 0; number < 8 * 1024; number++) cache.get(`${number}`);
  assert.equal(cache.takes(10), true);
});
