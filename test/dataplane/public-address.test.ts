// Which addresses are public: every block at its edges, and every clothing of a metadata server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPublicAddress } from '#dataplane/public-address.ts';

/** First and last address of a block, and the neighbours; `undefined` where the neighbour is no public address either. */
interface Block {
  readonly block: string;
  readonly before: string | undefined;
  readonly first: string;
  readonly last: string;
  readonly after: string | undefined;
}

function block(
  name: string,
  before: string | undefined,
  first: string,
  last: string,
  after: string | undefined,
): Block {
  return { block: name, before, first, last, after };
}

const ones = 'ffff:ffff:ffff:ffff:ffff:ffff';

const refused: readonly Block[] = [
  block('0.0.0.0/8', undefined, '0.0.0.0', '0.255.255.255', '1.0.0.0'),
  block('10.0.0.0/8', '9.255.255.255', '10.0.0.0', '10.255.255.255', '11.0.0.0'),
  block('100.64.0.0/10', '100.63.255.255', '100.64.0.0', '100.127.255.255', '100.128.0.0'),
  block('127.0.0.0/8', '126.255.255.255', '127.0.0.0', '127.255.255.255', '128.0.0.0'),
  block('169.254.0.0/16', '169.253.255.255', '169.254.0.0', '169.254.255.255', '169.255.0.0'),
  block('172.16.0.0/12', '172.15.255.255', '172.16.0.0', '172.31.255.255', '172.32.0.0'),
  block('192.0.0.0/24', '191.255.255.255', '192.0.0.0', '192.0.0.255', '192.0.1.0'),
  block('192.0.2.0/24', '192.0.1.255', '192.0.2.0', '192.0.2.255', '192.0.3.0'),
  block('192.88.99.0/24', '192.88.98.255', '192.88.99.0', '192.88.99.255', '192.88.100.0'),
  block('192.168.0.0/16', '192.167.255.255', '192.168.0.0', '192.168.255.255', '192.169.0.0'),
  block('198.18.0.0/15', '198.17.255.255', '198.18.0.0', '198.19.255.255', '198.20.0.0'),
  block('198.51.100.0/24', '198.51.99.255', '198.51.100.0', '198.51.100.255', '198.51.101.0'),
  block('203.0.113.0/24', '203.0.112.255', '203.0.113.0', '203.0.113.255', '203.0.114.0'),
  block('224.0.0.0/4', '223.255.255.255', '224.0.0.0', '239.255.255.255', undefined),
  block('240.0.0.0/4', undefined, '240.0.0.0', '255.255.255.255', undefined),
  block('below 2000::/3', undefined, '::', `1fff:ffff:${ones}`, '2000::'),
  block('2001::/23', `2000:ffff:${ones}`, '2001::', `2001:1ff:${ones}`, '2001:200::'),
  block('2001:db8::/32', `2001:db7:${ones}`, '2001:db8::', `2001:db8:${ones}`, '2001:db9::'),
  block('2002::/16', `2001:ffff:${ones}`, '2002::', `2002:ffff:${ones}`, '2003::'),
  block('3fff::/20', `3ffe:ffff:${ones}`, '3fff::', `3fff:fff:${ones}`, '3fff:1000::'),
  block('above 2000::/3', `3fff:ffff:${ones}`, '4000::', `ffff:ffff:${ones}`, undefined),
  block('::ffff:0:0/96', undefined, '::ffff:0:0', '::ffff:ffff:ffff', undefined),
  block('IPv4-compatible', undefined, '::1.1.1.1', '::255.255.255.255', undefined),
  block('64:ff9b::/96', undefined, '64:ff9b::', '64:ff9b::ffff:ffff', undefined),
  block('64:ff9b:1::/48', undefined, '64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff', undefined),
  block('fc00::/7', undefined, 'fc00::', `fdff:ffff:${ones}`, undefined),
  block('fe80::/10', undefined, 'fe80::', `febf:ffff:${ones}`, undefined),
  block('ff00::/8', undefined, 'ff00::', `ffff:ffff:${ones}`, undefined),
];

for (const { block: name, before, first, last, after } of refused)
  test(`${name} is not public, its neighbours are`, () => {
    assert.equal(isPublicAddress(first), false, first);
    assert.equal(isPublicAddress(last), false, last);
    for (const neighbour of [before, after])
      if (neighbour !== undefined) assert.equal(isPublicAddress(neighbour), true, neighbour);
  });

test('addresses of the public internet are public, however they are written', () => {
  for (const address of [
    '1.1.1.1',
    '93.184.215.14',
    '2606:4700:4700::1111',
    '2606:4700:4700:0:0:0:0:1111',
    '2A00:1450::1',
    '2606:4700::1.2.3.4',
  ])
    assert.equal(isPublicAddress(address), true, address);
});

test('no spelling of 169.254.169.254 is public', () => {
  for (const text of [
    '169.254.169.254',
    '169.254.43518',
    '169.16689662',
    '2852039166',
    '0xa9fea9fe',
    '0xa9.0xfe.0xa9.0xfe',
    '0251.0376.0251.0376',
    '025177524776',
    '169.254.169.254.',
    '169.254.169.254:80',
    '[::ffff:169.254.169.254]',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::FFFF:A9FE:A9FE',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '0000:0000:0000:0000:0000:ffff:a9fe:a9fe',
    '::169.254.169.254',
    '::a9fe:a9fe',
    '64:ff9b::169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
    '2002:a9fe:a9fe::',
    '2002:a9fe:a9fe::1',
    '2001:0:a9fe:a9fe::1',
    '2001::a9fe:a9fe',
  ])
    assert.equal(isPublicAddress(text), false, text);
});

test('what is no plain address is not public', () => {
  for (const text of [
    '',
    ' ',
    '1.1.1.1 ',
    ' 1.1.1.1',
    '1.1.1.1\n',
    '1.1.1.1\0',
    '1.1.1',
    '1.1.1.1.1',
    '01.1.1.1',
    '1.1.1.256',
    '1.1.1.1/32',
    'example.com',
    '2606:4700::1%eth0',
    '2606:4700::1%',
    'fe80::1%lo',
    '[2606:4700::1]',
    '2606:4700::1::',
    '2606:4700::g',
  ])
    assert.equal(isPublicAddress(text), false, JSON.stringify(text));
});
