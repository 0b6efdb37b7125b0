// Sets of addresses in CIDR notation, and addresses as proxies write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IpRanges, addressIn, parseCidr } from '#http/ip-ranges.ts';

test('an address is in the blocks that hold it, of its own family', () => {
  const ranges = new IpRanges(['10.0.0.0/8', '192.168.1.7', 'fd00::/8']);
  for (const [address, isIn] of [
    ['10.255.0.1', true],
    ['11.0.0.1', false],
    ['192.168.1.7', true],
    ['192.168.1.8', false],
    ['fdab::1', true],
    ['fe80::1', false],
    ['', false],
    ['10.0.0.256', false],
    ['localhost', false],
  ] as const)
    assert.equal(ranges.includes(address), isIn, address);
  assert.equal(new IpRanges([]).includes('10.0.0.1'), false);
});

test('what is no block is refused, with its text', () => {
  for (const text of [
    '',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.0/',
    'fd00::/129',
    'example.com',
    '10.0.0.0/8 ',
    '/8',
  ]) {
    assert.equal(parseCidr(text), undefined, text);
    assert.throws(() => new IpRanges([text]), RangeError);
  }
});

test('addresses are found with and without a port', () => {
  for (const [node, address] of [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:8080', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['unknown', undefined],
    ['_hidden', undefined],
    ['192.0.2.1:http', undefined],
    ['', undefined],
  ] as const)
    assert.equal(addressIn(node), address, node);
});
