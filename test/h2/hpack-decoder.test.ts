// The HPACK decoder: every example of RFC 7541 appendix C with the table after it, and what breaks the compression, makes a
// message malformed, or is too large.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HpackDecoder } from '#h2/hpack-decoder.ts';
import {
  decodeBlock,
  hex,
  indexed,
  integer,
  literal,
  newBlock,
  string,
  tableOf,
  tableSize,
} from './field-blocks.ts';

interface Example {
  readonly bytes: string;
  readonly fields: readonly string[];
  /** Newest first. */
  readonly table: readonly string[];
}

/** Fields as `name: value`, pseudo-fields first. */
function expectExamples(decoder: HpackDecoder, examples: readonly Example[]): void {
  for (const { bytes, fields, table } of examples) {
    const decoded = decodeBlock(decoder, hex(bytes));
    assert(decoded.isSound && !decoded.isMalformed && !decoded.isTooLarge);
    assert.deepEqual(
      decoded.fields.map(([name, value]) => `${name}: ${value}`),
      fields,
    );
    assert.deepEqual(tableOf(decoder), table);
  }
}

const requests = {
  first: [':authority: www.example.com', ':method: GET', ':path: /', ':scheme: http'],
  third: [
    ':authority: www.example.com',
    ':method: GET',
    ':path: /index.html',
    ':scheme: https',
    'custom-key: custom-value',
  ],
} as const;

const date1 = 'date: Mon, 21 Oct 2013 20:13:21 GMT';
const date2 = 'date: Mon, 21 Oct 2013 20:13:22 GMT';
const location = 'location: https://www.example.com';
const cacheControl = 'cache-control: private';
const cookie = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const encoding = 'content-encoding: gzip';

/** C.5 and C.6 are the same but for the Huffman code; their table has 256 bytes. */
function expectResponses(bytes: readonly [string, string, string]): void {
  const decoder = new HpackDecoder();
  assert(decodeBlock(decoder, tableSize(256)).isSound);
  expectExamples(decoder, [
    {
      bytes: bytes[0],
      fields: [':status: 302', cacheControl, date1, location],
      table: [location, date1, cacheControl, ':status: 302'],
    },
    {
      bytes: bytes[1],
      fields: [':status: 307', cacheControl, date1, location],
      table: [':status: 307', location, date1, cacheControl],
    },
    {
      bytes: bytes[2],
      fields: [':status: 200', cacheControl, date2, location, encoding, cookie],
      table: [cookie, encoding, date2],
    },
  ]);
}

describe('RFC 7541 appendix C', () => {
  test('C.1.1 and C.1.3: 10 in five bits, 42 in eight', () => {
    const decoder = new HpackDecoder();
    const text = 'v'.repeat(42);
    const bytes = Buffer.concat([hex('2a'), hex('00 01 61'), integer(0, 0x7f, 42), Buffer.from(text)]);
    assert.deepEqual(decodeBlock(decoder, bytes).fields, [['a', text]]);
    decodeBlock(decoder, literal('a', 'b', 0x40));
    assert.deepEqual(tableOf(decoder), [], 'a table of ten bytes holds nothing');
  });

  test('C.1.2: 1337 in five bits', () => {
    const decoder = new HpackDecoder();
    assert(decodeBlock(decoder, hex('3f9a0a')).isSound);
    const largest = 'v'.repeat(1337 - 32 - 1);
    decodeBlock(decoder, literal('a', largest, 0x40));
    assert.deepEqual(tableOf(decoder), [`a: ${largest}`]);
    decodeBlock(decoder, literal('a', `${largest}v`, 0x40));
    assert.deepEqual(tableOf(decoder), []);
  });

  test('C.2.1: a literal that is indexed', () => {
    expectExamples(new HpackDecoder(), [
      {
        bytes: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
        fields: ['custom-key: custom-header'],
        table: ['custom-key: custom-header'],
      },
    ]);
  });

  test('C.2.2: a literal that is not', () => {
    expectExamples(new HpackDecoder(), [
      { bytes: '040c 2f73 616d 706c 652f 7061 7468', fields: [':path: /sample/path'], table: [] },
    ]);
  });

  test('C.2.3: a literal that never is', () => {
    expectExamples(new HpackDecoder(), [
      { bytes: '1008 7061 7373 776f 7264 0673 6563 7265 74', fields: ['password: secret'], table: [] },
    ]);
  });

  test('C.2.4: an indexed field', () => {
    expectExamples(new HpackDecoder(), [{ bytes: '82', fields: [':method: GET'], table: [] }]);
  });

  for (const [title, bytes] of [
    [
      'C.3: requests',
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4: requests with the Huffman code',
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
  ] as const)
    test(title, () => {
      expectExamples(new HpackDecoder(), [
        { bytes: bytes[0], fields: requests.first, table: [':authority: www.example.com'] },
        {
          bytes: bytes[1],
          fields: [...requests.first, 'cache-control: no-cache'],
          table: ['cache-control: no-cache', ':authority: www.example.com'],
        },
        {
          bytes: bytes[2],
          fields: requests.third,
          table: ['custom-key: custom-value', 'cache-control: no-cache', ':authority: www.example.com'],
        },
      ]);
    });

  test('C.5: responses', () => {
    expectResponses([
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133
       3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a
       6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d
       6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ]);
  });

  test('C.6: responses with the Huffman code', () => {
    expectResponses([
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d
       29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d
       d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106
       3d50 07`,
    ]);
  });
});

describe('what breaks the compression', () => {
  for (const [title, ...bytes] of [
    ['index 0', hex('80')],
    ['an index behind the static table, while the other one is empty', indexed(62)],
    ['an index behind both', literal('a', 'b', 0x40), indexed(63)],
    ['a name behind both', hex('7f 00 01 61')],
    ['a large index', hex('ff ff ff 7f')],
    ['an integer of too many bytes', hex('ff ff ff ff ff 01')],
    ['zeros without an end', hex('7f 80 80 80 80 80 80 00 01 61')],
    ['an integer that is not whole', hex('ff')],
    ['an integer that goes on', hex('ff 80')],
    ['a field without a name', hex('40')],
    ['a name that is not whole', hex('40 03 61 62')],
    ['a field without a value', hex('40 01 61')],
    ['a value that is not whole', hex('40 01 61 03 62')],
    ['a length without an end', hex('40 01 61 7f')],
    ['a length above everything', hex('40 01 61 7f ff ff ff 7f')],
    ['a string that is no Huffman code', hex('40 01 61 84 ff ff ff ff')],
    ['a name that is no Huffman code', hex('40 81 00 01 61')],
    ['a size behind a field', indexed(2), tableSize(0)],
    ['a size behind a literal', literal('a', 'b'), tableSize(100)],
    ['a size above the one that was allowed', tableSize(4097)],
    ['a size without an end', hex('3f')],
  ] as const)
    test(title, () => {
      assert.equal(decodeBlock(new HpackDecoder(), Buffer.concat(bytes)).isSound, false);
    });
});

describe('sizes of the table', () => {
  test('stand in front of everything, several of them too', () => {
    const decoder = new HpackDecoder();
    decodeBlock(decoder, literal('a', 'b', 0x40));
    const bytes = Buffer.concat([tableSize(0), tableSize(4096), literal('c', 'd', 0x40)]);
    assert.deepEqual(decodeBlock(decoder, bytes).fields, [['c', 'd']]);
    assert.deepEqual(tableOf(decoder), ['c: d'], 'emptied in between');
  });

  test('may be a block of their own', () => {
    assert(decodeBlock(new HpackDecoder(), tableSize(4096)).isSound);
    assert(decodeBlock(new HpackDecoder(), Buffer.alloc(0)).isSound);
  });
});

describe('malformed fields', () => {
  for (const [title, name, value] of [
    ['no name', '', 'b'],
    ['upper case', 'aB', 'c'],
    ['a space in a name', 'a b', 'c'],
    ['a colon in a name', 'a:b', 'c'],
    ['CR LF in a name', 'a\r\nb', 'c'],
    ['NUL in a name', 'a\0', 'c'],
    ['obs-text in a name', 'caf\xe9', 'c'],
    ['DEL in a name', 'a\x7f', 'c'],
    ['CR in a value', 'a', 'b\rc'],
    ['LF in a value', 'a', 'b\nc'],
    ['NUL in a value', 'a', 'b\0c'],
    ['DEL in a value', 'a', '\x7f'],
    ['a control in a value', 'a', 'b\x01'],
    ['a space before a value', 'a', ' b'],
    ['a tab behind a value', 'a', 'b\t'],
    ['a pseudo-field that is none', ':a', 'b'],
    ['a colon alone', ':', 'b'],
    ['a pseudo-field in upper case', ':Path', '/'],
    ['LF in a pseudo-field', ':path', '/\n'],
  ] as const)
    test(title, () => {
      const decoder = new HpackDecoder();
      const decoded = decodeBlock(
        decoder,
        Buffer.concat([literal('x', 'y'), literal(name, value, 0x40), literal('z', '1', 0x40)]),
      );
      assert(decoded.isSound && decoded.isMalformed);
      // And once more, by the entry that both sides now have.
      const again = decodeBlock(decoder, indexed(63));
      assert(again.isSound && again.isMalformed);
      assert.deepEqual(decodeBlock(decoder, indexed(62)).fields, [['z', '1']]);
    });

  test('a name whose value was none still is one', () => {
    const decoder = new HpackDecoder();
    assert(decodeBlock(decoder, literal('te', 'a\nb', 0x40)).isMalformed);
    const bytes = Buffer.concat([integer(0, 0x0f, 62), string('trailers')]);
    assert.deepEqual(decodeBlock(decoder, bytes).fields, [['te', 'trailers']]);
  });

  test('values may be empty, and hold tabs, spaces and obs-text inside', () => {
    const decoder = new HpackDecoder();
    const decoded = decodeBlock(decoder, Buffer.concat([literal('a', ''), literal('b', 'c \t\xe9 d')]));
    assert(decoded.isSound && !decoded.isMalformed);
    assert.deepEqual(decoded.fields, [
      ['a', ''],
      ['b', 'c \t\xe9 d'],
    ]);
  });

  for (const [title, ...bytes] of [
    ['a pseudo-field twice', literal(':path', '/a'), literal(':path', '/b')],
    ['a pseudo-field twice with one value', indexed(2), indexed(2)],
    ['a pseudo-field behind a field', literal('a', 'b'), indexed(2)],
  ] as const)
    test(title, () => {
      const decoded = decodeBlock(new HpackDecoder(), Buffer.concat(bytes));
      assert(decoded.isSound && decoded.isMalformed);
    });
});

describe('cookies', () => {
  test('crumbs are one field', () => {
    const crumbs = ['a=1', 'b=2', 'c=3'].map((crumb) => literal('cookie', crumb));
    const bytes = Buffer.concat([literal('x', 'y'), ...crumbs, literal('z', '1')]);
    assert.deepEqual(decodeBlock(new HpackDecoder(), bytes).fields, [
      ['x', 'y'],
      ['cookie', 'a=1; b=2; c=3'],
      ['z', '1'],
    ]);
  });

  test('each crumb counts towards the limit', () => {
    const crumbs = Buffer.concat(Array.from({ length: 4 }, () => literal('cookie', 'a=1')));
    assert(!decodeBlock(new HpackDecoder(), crumbs, newBlock(1000, 4)).isTooLarge);
    assert(decodeBlock(new HpackDecoder(), crumbs, newBlock(1000, 3)).isTooLarge);
  });
});

describe('limits', () => {
  test('of fields', () => {
    const three = Buffer.concat(['1', '2', '3'].map((value) => literal('a', value)));
    assert(!decodeBlock(new HpackDecoder(), three, newBlock(1000, 3)).isTooLarge);
    assert(decodeBlock(new HpackDecoder(), three, newBlock(1000, 2)).isTooLarge);
  });

  test('of bytes: those of names and values', () => {
    const fields = Buffer.concat([literal('a', 'v'.repeat(49)), literal('b', 'v'.repeat(49))]);
    assert(!decodeBlock(new HpackDecoder(), fields, newBlock(100, 10)).isTooLarge);
    assert(decodeBlock(new HpackDecoder(), fields, newBlock(99, 10)).isTooLarge);
  });

  for (const [title, tooMuch] of [
    ['a name', literal('n'.repeat(30_000), 'v')],
    ['a value', literal('n', 'v'.repeat(30_000))],
    ['a name and a value', literal('n'.repeat(30_000), 'v'.repeat(30_000))],
    ['many fields', Buffer.concat(Array.from({ length: 50 }, () => literal('n', 'v')))],
    ['a field that comes from a table again and again', Buffer.alloc(40_000, indexed(63))],
    ['a name that comes from a table again and again', Buffer.alloc(39_999, hex('0f 30 00'))],
  ] as const)
    test(`what is too large leaves the table as it was: ${title}`, () => {
      const decoder = new HpackDecoder();
      const before = Buffer.concat([literal('a', 'v'.repeat(100), 0x40), literal('b', 'c', 0x40)]);
      assert(decodeBlock(decoder, before).isSound);
      const decoded = decodeBlock(decoder, tooMuch, newBlock(1000, 40));
      assert(decoded.isSound && decoded.isTooLarge);
      assert.deepEqual(tableOf(decoder), ['b: c', `a: ${'v'.repeat(100)}`]);
    });

  test('what comes behind what is too large still enters the table', () => {
    const decoder = new HpackDecoder();
    const large = literal('n', 'v'.repeat(2000), 0x40);
    const bytes = Buffer.concat([large, literal('a', 'b', 0x40), large, literal('c', 'd', 0x40)]);
    const decoded = decodeBlock(decoder, bytes, newBlock(1000, 10));
    assert(decoded.isSound && decoded.isTooLarge);
    const n = `n: ${'v'.repeat(2000)}`;
    assert.deepEqual(tableOf(decoder), ['c: d', n, 'a: b']);
  });

  test('a few bytes that name kilobytes, to copy them from entry to entry: the connection ends', () => {
    const long = literal('n'.repeat(4000), 'v', 0x40);
    const copies = (count: number): Buffer => Buffer.alloc(2 * count, Buffer.concat([hex('7e'), string('')]));
    const block = newBlock();
    const decoder = new HpackDecoder();
    const some = decodeBlock(decoder, Buffer.concat([long, copies(60)]), block);
    assert(some.isSound && some.isTooLarge && !block.isBomb);
    assert.deepEqual(tableOf(decoder), [`${'n'.repeat(4000)}: `]);
    const many = decodeBlock(decoder, Buffer.concat([long, copies(500)]), block);
    assert(!many.isSound && block.isBomb);
  });

  for (const [title, name, value] of [
    ['a name', 'n'.repeat(5000), 'v'],
    ['a value', 'n', 'v'.repeat(5000)],
    ['a name longer than anything that there is room for', 'n'.repeat(40_000), 'v'],
    ['a value longer than anything that there is room for', 'n', 'v'.repeat(40_000)],
    ['both', 'n'.repeat(40_000), 'v'.repeat(40_000)],
    ['a name of exactly all the room', 'n'.repeat(2 * (1000 + 4 * 10 + 2 * 4096 + 64) - 4), 'v'.repeat(100)],
  ] as const)
    test(`a field above the size of the table empties it, on both sides: ${title}`, () => {
      const decoder = new HpackDecoder();
      const bytes = Buffer.concat([literal('a', 'b', 0x40), literal(name, value, 0x40)]);
      const decoded = decodeBlock(decoder, bytes, newBlock(1000, 10));
      assert(decoded.isSound && decoded.isTooLarge);
      assert.deepEqual(tableOf(decoder), []);
      decodeBlock(decoder, literal('c', 'd', 0x40));
      assert.deepEqual(tableOf(decoder), ['c: d']);
    });
});
