// PROXY protocol headers, both versions: whom they name, where they end, and that half of one says nothing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { parseProxyHeader } from '#proxy/proxy-protocol.ts';
import { header2, ipv4Block, ipv6Block, line1 } from './proxy-headers.ts';

/** The source that a whole header names; whatever comes after it is not looked at. */
function assertHeader(header: Buffer, source: string | undefined): void {
  for (const after of ['', 'GET / HTTP/1.1\r\n', '\r\n', '\0', 'PROXY UNKNOWN\r\n', '\r\n\r\n\0\r\nQUIT\n']) {
    const bytes = Buffer.concat([header, Buffer.from(after, 'latin1')]);
    const before = Buffer.from(bytes);
    assert.deepEqual(parseProxyHeader(bytes), { kind: 'Header', length: header.length, source });
    assert.deepEqual(bytes, before);
  }
}

/** Every beginning of it is Incomplete, whatever it is a beginning of. */
function assertIncompleteUntilWhole(header: Buffer): void {
  for (let length = 0; length < header.length; length++)
    assert.deepEqual(parseProxyHeader(header.subarray(0, length)), { kind: 'Incomplete' }, `${length} bytes`);
}

function assertInvalid(bytes: Buffer): void {
  assert.deepEqual(parseProxyHeader(bytes), { kind: 'Invalid' }, JSON.stringify(bytes.toString('latin1')));
}

const longAddress = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';

describe('version 1', () => {
  const headers: readonly (readonly [line: string, source: string | undefined])[] = [
    ['PROXY TCP4 192.0.2.1 198.51.100.1 56324 443', '192.0.2.1'],
    ['PROXY TCP4 0.0.0.0 255.255.255.255 0 65535', '0.0.0.0'],
    ['PROXY TCP6 2001:db8::1 2001:db8::2 56324 443', '2001:db8::1'],
    // In canonical form; an IPv4 address in IPv6 clothes as what it is.
    ['PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::1 1 2', '2001:db8::1'],
    ['PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 1 2', '192.0.2.1'],
    ['PROXY TCP6 ::ffff:c000:201 ::1 1 2', '192.0.2.1'],
    ['PROXY TCP6 :: :: 0 0', '::'],
    [`PROXY TCP6 ${longAddress} ${longAddress} 65535 65535`, longAddress],
    // The peer speaks for itself, and may say more that is not read.
    ['PROXY UNKNOWN', undefined],
    ['PROXY UNKNOWN ', undefined],
    [`PROXY UNKNOWN ${longAddress} ${longAddress} 65535 65535`, undefined],
    ['PROXY UNKNOWN nothing of this counts', undefined],
  ];
  for (const [line, source] of headers)
    test(line, () => {
      assertHeader(line1(line), source);
      assertIncompleteUntilWhole(line1(line));
    });

  const malformed = [
    'PROXY',
    'PROXY ',
    'PROXY TCP4',
    'PROXY TCP4 192.0.2.1 198.51.100.1 56324',
    'PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1',
    'PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 ',
    'PROXY  TCP4 192.0.2.1 198.51.100.1 56324 443',
    'PROXY TCP4  192.0.2.1 198.51.100.1 56324 443',
    'PROXY\tTCP4 192.0.2.1 198.51.100.1 56324 443',
    'PROXY tcp4 192.0.2.1 198.51.100.1 56324 443',
    'PROXY UDP4 192.0.2.1 198.51.100.1 56324 443',
    'PROXY TCP 192.0.2.1 198.51.100.1 56324 443',
    'PROXY UNKNOWNS',
    'PROXY unknown',
    'PROXY UNKNOWN\tx',
    'PROXY UNKNOWN x\0',
    'PROXY TCP4 2001:db8::1 2001:db8::2 1 2',
    'PROXY TCP4 192.0.2.1 2001:db8::2 1 2',
    'PROXY TCP6 192.0.2.1 198.51.100.1 1 2',
    'PROXY TCP6 2001:db8::1 198.51.100.1 1 2',
    'PROXY TCP4 192.0.2.256 198.51.100.1 1 2',
    'PROXY TCP4 192.0.02.1 198.51.100.1 1 2',
    'PROXY TCP4 192.0.2 198.51.100.1 1 2',
    'PROXY TCP4 example.com 198.51.100.1 1 2',
    'PROXY TCP6 [2001:db8::1] ::1 1 2',
    'PROXY TCP6 2001:db8::1::2 ::1 1 2',
    'PROXY TCP4 192.0.2.1 198.51.100.1 -1 443',
    'PROXY TCP4 192.0.2.1 198.51.100.1 01 443',
    'PROXY TCP4 192.0.2.1 198.51.100.1 1 100000',
    'PROXY TCP4 192.0.2.1 198.51.100.1 1 http',
    'PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r',
  ];
  for (const line of malformed)
    test(`refuses ${JSON.stringify(line)}`, () => {
      assertInvalid(line1(line));
    });

  test('refuses an address with a zone', () => {
    assertInvalid(line1('PROXY TCP6 fe80::1%eth0 ::1 1 2'));
    assertInvalid(line1('PROXY TCP6 ::1 fe80::1%eth0 1 2'));
  });

  test('refuses a port above 65535', () => {
    assertInvalid(line1('PROXY TCP4 192.0.2.1 198.51.100.1 65536 443'));
    assertInvalid(line1('PROXY TCP4 192.0.2.1 198.51.100.1 1 65536'));
  });

  test('ends in CR LF, not in either alone', () => {
    for (const end of ['\n', '\r', '\n\r'])
      assert.deepEqual(parseProxyHeader(Buffer.from(`PROXY UNKNOWN${end}`)), { kind: 'Incomplete' });
  });

  test('is at most 107 bytes long', () => {
    const longest = 107 - 'PROXY UNKNOWN '.length - 2;
    assertHeader(line1(`PROXY UNKNOWN ${'x'.repeat(longest)}`), undefined);
    assertIncompleteUntilWhole(line1(`PROXY UNKNOWN ${'x'.repeat(longest)}`));
    assertInvalid(line1(`PROXY UNKNOWN ${'x'.repeat(longest + 1)}`));
    // Nobody waits for an end that would come too late.
    assert.deepEqual(parseProxyHeader(Buffer.from('PROXY '.padEnd(106, 'x'))), { kind: 'Incomplete' });
    assertInvalid(Buffer.from('PROXY '.padEnd(107, 'x')));
  });
});

describe('version 2', () => {
  const v4 = ipv4Block([192, 0, 2, 1], [198, 51, 100, 1], 56_324, 443);
  const v6 = (source: readonly number[]) => ipv6Block(source, [0x2001, 0xdb8, 0, 0, 0, 0, 0, 2], 1, 2);
  const more = Buffer.from('030004deadbeef', 'hex');
  const headers: readonly (readonly [what: string, header: Buffer, source: string | undefined])[] = [
    ['TCP over IPv4', header2({ family: 0x11, rest: v4 }), '192.0.2.1'],
    [
      'TCP over IPv4, with more to say',
      header2({ family: 0x11, rest: Buffer.concat([v4, more]) }),
      '192.0.2.1',
    ],
    ['TCP over IPv6', header2({ family: 0x21, rest: v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]) }), '2001:db8::1'],
    [
      'TCP over IPv6, with more to say',
      header2({ family: 0x21, rest: Buffer.concat([v6([0xfd00, 0, 0, 1, 0, 0, 0, 1]), more]) }),
      'fd00:0:0:1::1',
    ],
    [
      'an IPv4 address in IPv6',
      header2({ family: 0x21, rest: v6([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x201]) }),
      '192.0.2.1',
    ],
    [
      'an IPv4 address of zeros in IPv6',
      header2({ family: 0x21, rest: v6([0, 0, 0, 0, 0, 0xffff, 0, 0]) }),
      '0.0.0.0',
    ],
    [
      'an address that only ends like IPv4',
      header2({ family: 0x21, rest: v6([0, 0, 0, 0, 0, 0, 0xc000, 0x201]) }),
      '::c000:201',
    ],
    ['LOCAL, as in a health check', header2({ command: 0, family: 0 }), undefined],
    ['LOCAL, whatever addresses it gives', header2({ command: 0, family: 0x11, rest: v4 }), undefined],
    [
      'LOCAL, without the addresses of its family',
      header2({ command: 0, family: 0x21, rest: more }),
      undefined,
    ],
    ['no family', header2({ family: 0 }), undefined],
    ['no family, with more to say', header2({ family: 0, rest: more }), undefined],
    ['a UNIX socket', header2({ family: 0x31, rest: Buffer.alloc(216, 0x2f) }), undefined],
    ['UDP over IPv4', header2({ family: 0x12, rest: v4 }), undefined],
    [
      'as much as is read',
      header2({ family: 0x11, rest: Buffer.concat([v4, Buffer.alloc(4084)]) }),
      '192.0.2.1',
    ],
  ];
  for (const [what, header, source] of headers)
    test(what, () => {
      assertHeader(header, source);
      assertIncompleteUntilWhole(header);
    });

  const malformed: readonly (readonly [what: string, header: Buffer])[] = [
    ['version 1', header2({ version: 1, family: 0x11, rest: v4 })],
    ['version 3', header2({ version: 3, family: 0x11, rest: v4 })],
    ['an unknown command', header2({ command: 2, family: 0x11, rest: v4 })],
    ['too little for IPv4', header2({ family: 0x11, rest: v4.subarray(0, 11) })],
    ['too little for IPv6', header2({ family: 0x21, rest: v6([0, 0, 0, 0, 0, 0, 0, 1]).subarray(0, 35) })],
    ['no addresses', header2({ family: 0x11 })],
    ['more than is read', header2({ family: 0x11, rest: Buffer.concat([v4, Buffer.alloc(4085)]) })],
    ['as much as there can be', header2({ family: 0x11, rest: Buffer.alloc(65_535) })],
  ];
  for (const [what, header] of malformed) test(`refuses ${what}`, () => assertInvalid(header));

  test('refuses families and protocols that there are none of', () => {
    for (const family of [0x13, 0x23, 0x41, 0xf1, 0xff]) assertInvalid(header2({ family, rest: v4 }));
  });

  test('refuses what is too long as soon as its length is known', () => {
    assertInvalid(header2({ family: 0x11, rest: Buffer.alloc(4097) }).subarray(0, 16));
  });
});

describe('anything else', () => {
  const signature = header2({ family: 0 }).subarray(0, 12);

  test('is refused at the first byte that is wrong', () => {
    for (const text of ['G', '\0', 'p', 'PROXX', 'PROXY\t', '\n', '\r\r', '\r\n\r\nGET', '\x16\x03\x01'])
      assertInvalid(Buffer.from(text, 'latin1'));
    for (let at = 0; at < signature.length; at++) {
      const wrong = Buffer.from(signature.subarray(0, at + 1));
      wrong[at]! ^= 0x40;
      // Another first byte may begin the other version.
      if (wrong[0] !== 0x50) assertInvalid(wrong);
    }
  });

  test('never throws, and never ends beyond its bytes', () => {
    const begun = fc
      .tuple(
        fc.constantFrom(Buffer.alloc(0), signature, Buffer.from('PROXY TCP6 '), Buffer.from('PROXY TCP4 ')),
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc.string({ maxLength: 60 }).map((text) => Buffer.from(text)),
        ),
        fc.constantFrom('', '\r\n'),
      )
      .map(([start, rest, end]) => Buffer.concat([start, rest, Buffer.from(end)]));
    fc.assert(
      fc.property(begun, (bytes) => {
        const parsed = parseProxyHeader(bytes);
        if (parsed.kind === 'Header') assert(parsed.length > 0 && parsed.length <= bytes.length);
      }),
      { numRuns: 2000 },
    );
  });
});
