import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../testing/random.ts';
import { decodeHuffman, encodeHuffman, huffmanLength, NO_CODE, OVERFLOW } from './huffman.ts';

function encode(text: string): Buffer {
  const target = Buffer.alloc(huffmanLength(text));
  assert.equal(encodeHuffman(text, target, 0), target.length);
  return target;
}

function decode(bytes: Buffer, room = 4096): string | number {
  const target = Buffer.alloc(room);
  const length = decodeHuffman(bytes, 0, bytes.length, target);
  return length < 0 ? length : target.toString('latin1', 0, length);
}

// RFC 7541 Appendix C.
const known: readonly (readonly [text: string, hex: string])[] = [
  ['www.example.com', 'f1e3c2e5f23a6ba0ab90f4ff'],
  ['no-cache', 'a8eb10649cbf'],
  ['custom-key', '25a849e95ba97d7f'],
  ['custom-value', '25a849e95bb8e8b4bf'],
  ['302', '6402'],
  ['private', 'aec3771a4b'],
  ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07abe941054d444a8200595040b8166e082a62d1bff'],
  ['https://www.example.com', '9d29ad171863c78f0b97c8e9ae82ae43d3'],
  [
    'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    '94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
  ],
];

for (const [text, hex] of known) {
  test(`'${text}' has the code of the standard`, () => {
    assert.equal(encode(text).toString('hex'), hex);
    assert.equal(decode(Buffer.from(hex, 'hex')), text);
  });
}

test('every byte comes back, alone and between others', () => {
  for (let byte = 0; byte < 256; byte++) {
    const char = String.fromCharCode(byte);
    assert.equal(decode(encode(char)), char, `byte ${byte}`);
    assert.equal(decode(encode(`a${char}${char}z`)), `a${char}${char}z`, `byte ${byte}`);
  }
});

test('random text comes back', () => {
  const random = new Random(7);
  for (let round = 0; round < 2000; round++) {
    const text = random.bytes(random.below(60)).toString('latin1');
    assert.equal(decode(encode(text)), text);
  }
});

test('only ones, and fewer than eight, may fill up the last byte', () => {
  assert.equal(decode(Buffer.from('1f', 'hex')), 'a', '00011 and 111');
  assert.equal(decode(Buffer.from('18', 'hex')), NO_CODE, '00011 and 000');
  assert.equal(decode(Buffer.from('1e', 'hex')), NO_CODE, '00011 and 110');
  assert.equal(decode(Buffer.from('1fff', 'hex')), NO_CODE, 'eleven ones');
  assert.equal(decode(Buffer.from('ff', 'hex')), NO_CODE, 'nothing but eight ones');
  assert.equal(decode(Buffer.alloc(0)), '');
});

test('the end-of-string symbol is refused', () => {
  assert.equal(decode(Buffer.from('ffffffff', 'hex')), NO_CODE);
  assert.equal(decode(Buffer.from('1fffffffff', 'hex')), NO_CODE);
});

test('text that does not fit is told apart from a wrong code', () => {
  assert.equal(decode(encode('aaaa'), 3), OVERFLOW);
  assert.equal(decode(encode('aaaa'), 4), 'aaaa');
});
