import assert from 'node:assert/strict';
import { test } from 'node:test';
import { combineHashes, hashText } from './hash.ts';

test('gives the published xxHash32 values', () => {
  const vectors: [text: string, seed: number, hash: number][] = [
    ['', 0, 0x02cc5d05],
    ['a', 0, 0x550d7456],
    ['abc', 0, 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0, 0xe2293b2f],
  ];
  for (const [text, seed, hash] of vectors) assert.equal(hashText(text, seed), hash, text);
  assert.notEqual(hashText('abc', 1), hashText('abc', 0));
});

test('spreads similar texts over the whole range', () => {
  const buckets = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) (buckets[hashText(`10.0.0.${i}:80`) >>> 28] as number)++;
  for (const count of buckets) assert.ok(count > 800 && count < 1200, String(buckets));
});

test('minds the order in which hashes are combined', () => {
  assert.notEqual(combineHashes(hashText('a'), hashText('b')), combineHashes(hashText('b'), hashText('a')));
});
