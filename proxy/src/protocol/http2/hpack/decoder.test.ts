import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BlockResult, FLOOD, HpackDecoder, MALFORMED, OK, TOO_LARGE } from './decoder.ts';

function decoder(tableMax = 4096, listBytes = 61_440, listCount = 100): HpackDecoder {
  return new HpackDecoder(tableMax, listBytes, listCount);
}

function run(subject: HpackDecoder, hex: string): BlockResult {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return subject.decode(bytes, 0, bytes.length);
}

function fields(subject: HpackDecoder): string[] {
  return subject.names.map((name, i) => `${name}: ${subject.values[i]}`);
}

const get = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const getNoCache = [...get, 'cache-control: no-cache'];
const getCustom = [
  ':method: GET',
  ':scheme: https',
  ':path: /index.html',
  ':authority: www.example.com',
  'custom-key: custom-value',
];
const cookie = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const found = [
  ':status: 302',
  'cache-control: private',
  'date: Mon, 21 Oct 2013 20:13:21 GMT',
  'location: https://www.example.com',
];
const notModified = [':status: 307', ...found.slice(1)];
const withCookie = [
  ':status: 200',
  'cache-control: private',
  'date: Mon, 21 Oct 2013 20:13:22 GMT',
  'location: https://www.example.com',
  'content-encoding: gzip',
  `set-cookie: ${cookie}`,
];

// RFC 7541 Appendix C.3 to C.6: three messages on one connection each.
const sequences: readonly (readonly [
  name: string,
  tableMax: number,
  blocks: readonly (readonly [hex: string, fields: readonly string[]])[],
])[] = [
  [
    'C.3, requests without Huffman',
    4096,
    [
      ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', get],
      ['8286 84be 5808 6e6f 2d63 6163 6865', getNoCache],
      ['8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65', getCustom],
    ],
  ],
  [
    'C.4, requests with Huffman',
    4096,
    [
      ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', get],
      ['8286 84be 5886 a8eb 1064 9cbf', getNoCache],
      ['8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', getCustom],
    ],
  ],
  [
    'C.5, responses without Huffman, with eviction',
    256,
    [
      [
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        found,
      ],
      ['4803 3330 37c1 c0bf', notModified],
      [
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
        withCookie,
      ],
    ],
  ],
  [
    'C.6, responses with Huffman, with eviction',
    256,
    [
      [
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
        found,
      ],
      ['4883 640e ffc1 c0bf', notModified],
      [
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
        withCookie,
      ],
    ],
  ],
];

describe('the examples of the standard', () => {
  for (const [name, tableMax, blocks] of sequences) {
    test(name, () => {
      const subject = decoder(tableMax);
      subject.acknowledge();
      // The examples take the small table as agreed upon; on the wire the encoder would say so first.
      if (tableMax < 4096) assert.equal(run(subject, '3fe101'), OK);
      for (const [hex, expected] of blocks) {
        assert.equal(run(subject, hex), OK);
        assert.deepEqual(fields(subject), expected);
      }
    });
  }

  test('C.2, one field each', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'custom-key: custom-header'],
      ['040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path'],
      ['1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret'],
      ['82', ':method: GET'],
    ];
    for (const [hex, field] of cases) {
      const subject = decoder();
      assert.equal(run(subject, hex), OK);
      assert.deepEqual(fields(subject), [field]);
    }
  });
});

describe('what cannot be decompressed', () => {
  const cases: readonly (readonly [name: string, hex: string])[] = [
    ['index 0', '80'],
    ['an index beyond both tables', 'be'],
    ['a name index beyond both tables', '7f00 0161'],
    ['an integer without end', 'ffffffffffffffff'],
    ['an integer cut short', 'ff'],
    ['an integer past 2^28', 'ff80808080 01'],
    ['a literal without its name', '40'],
    ['a literal without its value', '4001 61'],
    ['text longer than the block', '4005 6162'],
    ['a wrong Huffman code', '4081 18 0161'],
    ['a size update behind a field', '82 20'],
    ['a table larger than announced', '3fe2ff03'],
  ];
  for (const [name, hex] of cases) {
    test(name, () => assert.equal(run(decoder(), hex), MALFORMED));
  }
});

const custom = '4001 6101 31';

describe('the dynamic table', () => {
  test('an entry larger than the table empties it and is no error', () => {
    const subject = decoder();
    assert.equal(run(subject, `3f01 ${custom}`), OK, 'a table of 32 bytes');
    assert.equal(run(subject, 'be'), MALFORMED);
  });

  test('a size update of nothing empties it', () => {
    const subject = decoder();
    assert.equal(run(subject, custom), OK);
    assert.equal(run(subject, 'be'), OK);
    assert.equal(run(subject, '20 3fe11f'), OK, 'to 0 and back to 4096');
    assert.equal(run(subject, 'be'), MALFORMED);
  });

  test('the oldest entries leave when there is no room', () => {
    const subject = decoder();
    // 68 bytes hold two entries of 34.
    assert.equal(run(subject, '3f25 4001 6101 31 4001 6201 32 4001 6301 33'), OK);
    assert.equal(run(subject, 'be bf'), OK);
    assert.deepEqual(fields(subject), ['c: 3', 'b: 2']);
    assert.equal(run(subject, 'c0'), MALFORMED);
  });

  test('thousands of entries pass through it', () => {
    const subject = decoder();
    for (let i = 0; i < 5000; i++) {
      const value = String(10_000 + i);
      assert.equal(run(subject, `4001 6105 ${Buffer.from(value).toString('hex')} be`), OK);
      assert.deepEqual(fields(subject), [`a: ${value}`, `a: ${value}`]);
    }
    // 4096 / (1 + 5 + 32) = 107 entries.
    assert.equal(run(subject, 'ff29'), OK, 'the 107th: 62 + 106 = 127 + 41');
    assert.deepEqual(subject.values, ['14893']);
    assert.equal(run(subject, 'ff2a'), MALFORMED);
  });

  test('the generation rises with each change and with nothing else', () => {
    const subject = decoder();
    run(subject, '82 84');
    const before = subject.generation;
    run(subject, '82 84 0001 6101 31');
    assert.equal(subject.generation, before);
    run(subject, custom);
    assert.notEqual(subject.generation, before);
  });

  test('a table smaller than the default holds from the acknowledgement on, and must be announced then', () => {
    const subject = decoder(0);
    assert.equal(run(subject, custom), OK);
    assert.equal(run(subject, 'be'), OK, 'the peer does not know better yet');
    subject.acknowledge();
    assert.equal(run(subject, '82'), MALFORMED);
    assert.equal(run(subject, '20 82'), OK);
    assert.equal(run(subject, 'be'), MALFORMED);
  });
});

describe('limits', () => {
  test('a block of too many bytes is decoded to its end, so that the table stays right', () => {
    const subject = decoder(4096, 100);
    const long = `4001 613f ${'61'.repeat(63)}`;
    assert.equal(run(subject, `${long} ${long} 4001 7a01 39`), TOO_LARGE);
    assert.equal(run(subject, 'be'), OK);
    assert.deepEqual(fields(subject), ['z: 9']);
  });

  test('more fields than allowed are too large', () => {
    assert.equal(run(decoder(4096, 61_440, 3), '82828282'), TOO_LARGE);
    assert.equal(run(decoder(4096, 61_440, 3), '828282'), OK);
  });

  test('a few bytes that name a large entry often are given up after some', () => {
    const subject = decoder();
    const value = Buffer.alloc(4000, 'a').toString('hex');
    assert.equal(run(subject, `4001 617f a11e ${value}`), OK);
    assert.equal(run(subject, 'be'.repeat(50)), TOO_LARGE);
    assert.equal(run(subject, 'be'.repeat(60_000)), FLOOD);
    assert.equal(subject.names.length, 0, 'nothing is kept');
  });

  test('Huffman text longer than any head is too large, not an error', () => {
    const subject = decoder(4096, 1000);
    // 100,000 letters of 5 bits are 62,500 bytes: 0x63 in five bits each.
    const code = Buffer.alloc(62_500);
    for (let bit = 0; bit < 500_000; bit += 5) {
      for (let i = 0; i < 5; i++)
        if (((3 >> (4 - i)) & 1) === 1) code[(bit + i) >> 3] = (code[(bit + i) >> 3] ?? 0) | (128 >> ((bit + i) & 7));
    }
    // The length 62,500 behind a prefix of 7 bits: 127 + 62,373.
    assert.equal(run(subject, `${custom}`), OK);
    assert.equal(run(subject, `4001 61ff a5e703 ${code.toString('hex')} 82`), TOO_LARGE);
    assert.equal(run(subject, 'be'), MALFORMED, 'the entry emptied the table');
  });
});
