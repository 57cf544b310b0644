import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BlockCache } from './block-cache.ts';

function putOnce(cache: BlockCache<string>, text: string): void {
  const bytes = Buffer.from(text);
  cache.get(bytes, 0, bytes.length);
  cache.put(bytes, 0, bytes.length, text, 0);
}

function put(cache: BlockCache<string>, text: string): void {
  putOnce(cache, text);
  putOnce(cache, text);
}

function get(cache: BlockCache<string>, text: string): string | null {
  const bytes = Buffer.from(`..${text}..`);
  return cache.get(bytes, 2, bytes.length - 2);
}

describe('the cache of header blocks', () => {
  it('finds a block by its bytes wherever they lie', () => {
    const cache = new BlockCache<string>();
    assert.equal(get(cache, 'block'), null);
    put(cache, 'block');
    assert.equal(get(cache, 'block'), 'block');
    assert.equal(get(cache, 'blocks'), null);
    assert.equal(get(cache, 'blocK'), null);
  });

  it('keeps nothing that came only once', () => {
    const cache = new BlockCache<string>();
    putOnce(cache, 'block');
    assert.equal(get(cache, 'block'), null);
    putOnce(cache, 'block');
    assert.equal(get(cache, 'block'), 'block');
  });

  it('never gives one block for another, however many come', () => {
    const cache = new BlockCache<string>();
    let found = 0;
    for (let round = 0; round < 3; round++) {
      for (let number = 0; number < 500; number++) {
        const text = `path ${number % 40} ${number}`;
        const known = get(cache, text);
        if (known !== null) {
          assert.equal(known, text);
          found++;
        }
        put(cache, text);
        assert.equal(get(cache, text), text);
      }
    }
    assert.ok(found < 1500);
  });

  it('keeps a block of its own: the buffer may change', () => {
    const cache = new BlockCache<string>();
    const bytes = Buffer.from('first');
    for (let time = 0; time < 2; time++) {
      cache.get(bytes, 0, 5);
      cache.put(bytes, 0, 5, 'first', 0);
    }
    bytes.fill('x');
    assert.equal(get(cache, 'first'), 'first');
    assert.equal(get(cache, 'xxxxx'), null);
  });

  it('holds at most 32 KiB of blocks and what they stand for', () => {
    const cache = new BlockCache<string>();
    const texts = Array.from({ length: 60 }, (_, number) => `${number} `.padEnd(1000, 'y'));
    for (const text of texts) put(cache, text);
    assert.ok(texts.filter((text) => get(cache, text) !== null).length <= 32);
    const large = Buffer.from('stands for much');
    cache.clear();
    for (let time = 0; time < 2; time++) {
      cache.get(large, 0, large.length);
      cache.put(large, 0, large.length, 'much', 60_000);
    }
    assert.equal(get(cache, 'stands for much'), null);
  });

  it('forgets everything when it is cleared, and starts anew', () => {
    const cache = new BlockCache<string>();
    put(cache, 'block');
    cache.clear();
    assert.equal(get(cache, 'block'), null);
    put(cache, 'block');
    assert.equal(get(cache, 'block'), 'block');
  });
});
