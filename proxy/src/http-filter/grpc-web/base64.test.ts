import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Base64Decoder } from './base64.ts';

function decodeParts(parts: readonly string[]): string | null {
  const decoder = new Base64Decoder();
  let text = '';
  for (const part of parts) {
    const out = Buffer.alloc(64);
    const bytes = decoder.decode(Buffer.from(part), 0, part.length, out);
    if (bytes < 0) return null;
    text += out.toString('latin1', 0, bytes);
  }
  return decoder.isWhole ? text : null;
}

const encode = (text: string) => Buffer.from(text, 'latin1').toString('base64');

describe('streamed base64', () => {
  it('reads padded runs one after the other, cut anywhere', () => {
    const text = ['', 'a', 'ab', 'abc', '\xff\x00~'].map(encode).join('');
    const expected = 'aababc\xff\x00~';
    for (let i = 0; i <= text.length; i++) {
      for (let j = i; j <= text.length; j++) {
        assert.equal(decodeParts([text.slice(0, i), text.slice(i, j), text.slice(j)]), expected, `${i} ${j}`);
      }
    }
  });

  for (const bad of ['a', 'ab', 'abc', '====', 'a===', 'ab=c', 'abc=d', 'ab-_', 'ab c', 'ab\n=']) {
    it(`refuses ${JSON.stringify(bad)}`, () => {
      assert.equal(decodeParts([bad]), null);
      assert.equal(decodeParts([...bad]), null);
    });
  }
});
