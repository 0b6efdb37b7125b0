// CIDR blocks as the API server judges them: what the CRD lets through, the data plane can read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { familyOf, isCidr } from '#api/ip-address.ts';
import { parseCidr } from '#http/ip-ranges.ts';

const blocks = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.1.2.3/8',
  '255.255.255.255/32',
  '::/0',
  '::1/128',
  'FD00::/8',
  'fd00:0:0:0::/8',
  '1:2:3:4:5:6:7::/1',
  '::10.0.0.1/128',
  '64:ff9b::192.0.2.1/96',
  '::fffe:10.0.0.0/104',
];

/** The API server says the same of each. */
const others = [
  '',
  '/',
  '/8',
  '10.0.0.0',
  '10.0.0.0/',
  '10.0.0.0/33',
  '10.0.0.0/08',
  '10.0.0.0/+8',
  '10.0.0.0/-1',
  '10.0.0.0/8.0',
  '10.0.0.0/1e1',
  '10.0.0.0/8 ',
  ' 10.0.0.0/8',
  '10.0.0.0/8\n',
  '10.0.0.0/255.0.0.0',
  '10.0.0/8',
  '10.0.0.0.0/8',
  '010.0.0.0/8',
  '0x0a.0.0.0/8',
  '256.0.0.0/8',
  'fd00::/129',
  'fd00::1::/64',
  'fd00:0:0:0:0:0:0:0:0/64',
  '::00001/64',
  '[fd00::]/8',
  'fe80::%eth0/64',
  '::ffff:10.0.0.0/104',
  '::ffff:a00:0/104',
  '::FFFF:0:0/96',
  '0:0:0:0:0:ffff:a00:0/104',
  'example.com/8',
];

test('blocks', () => {
  assert.deepEqual(
    blocks.filter((text) => !isCidr(text)),
    [],
  );
});

test('no blocks', () => {
  assert.deepEqual(
    others.filter((text) => isCidr(text)),
    [],
  );
});

test('every prefix from 0 to the length of the address, and no other', () => {
  for (let prefix = 0; prefix <= 300; prefix++) {
    assert.equal(isCidr(`10.0.0.0/${prefix}`), prefix <= 32);
    assert.equal(isCidr(`fd00::/${prefix}`), prefix <= 128);
  }
});

test('whatever is a block here is one where addresses are looked up', () => {
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:%x'.split('')) }),
  );
  const prefix = fc.oneof(
    fc.nat(140).map(String),
    fc.string({ unit: fc.constantFrom(...'0123456789+-./'.split('')), maxLength: 4 }),
  );
  fc.assert(
    fc.property(address, prefix, (base, length) => {
      const text = `${base}/${length}`;
      if (isCidr(text)) assert.notEqual(parseCidr(text), undefined);
      // And the other way round, but for spellings and for IPv4 in IPv6 clothes.
      else if (text.length <= 43 && /^(?:0|[1-9][0-9]*)$/.test(length) && !/^[0:]*:ffff:/i.test(base))
        assert.equal(parseCidr(text), undefined);
    }),
    { numRuns: 2000 },
  );
});

test('families are named as in Kubernetes', () => {
  for (const [text, family] of [
    ['10.0.0.1', 'IPv4'],
    ['::1', 'IPv6'],
    ['::ffff:10.0.0.1', 'IPv6'],
    ['10.0.0', undefined],
    ['', undefined],
  ] as const)
    assert.equal(familyOf(text), family, text);
});
