// All filters of a rule together, and which client addresses they admit.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { RuleFilters, compileFilters } from '#filter/rule-filters.ts';
import type { Filter } from '#model/filters.ts';

function admits(allow: readonly string[], deny: readonly string[], address: string): boolean {
  return new RuleFilters([{ kind: 'ClientIp', allow, deny }]).admits(address);
}

describe('admits', () => {
  const cases: readonly (readonly [allow: string, deny: string, address: string, isAdmitted: boolean])[] = [
    ['', '', '10.0.0.1', true],
    ['10.0.0.0/8', '', '10.255.255.255', true],
    ['10.0.0.0/8', '', '11.0.0.0', false],
    ['', '10.0.0.0/8', '10.0.0.1', false],
    ['', '10.0.0.0/8', '9.255.255.255', true],
    // deny wins, however narrow the block that allows.
    ['10.0.0.0/8', '10.9.0.0/16', '10.9.0.1', false],
    ['10.0.0.0/8', '10.9.0.0/16', '10.8.0.1', true],
    ['10.9.0.1/32', '10.0.0.0/8', '10.9.0.1', false],
    // Several blocks, host bits that are set, the narrowest and the widest.
    ['192.0.2.1/32 198.51.100.0/24', '', '198.51.100.7', true],
    ['10.1.2.3/8', '', '10.200.0.1', true],
    ['192.0.2.1/32', '', '192.0.2.2', false],
    ['0.0.0.0/0', '', '203.0.113.9', true],
    // Families.
    ['fd00::/8', '', 'fdab::1', true],
    ['fd00::/8', '', 'FDAB:0:0::1', true],
    ['fd00::/8', '', '10.0.0.1', false],
    ['10.0.0.0/8', '', '::1', false],
    ['0.0.0.0/0', '', '::1', false],
    ['', '::1/128', '::2', true],
    ['', '::1/128', '0:0:0:0:0:0:0:1', false],
    // An IPv4 address in IPv6 clothes is what it is.
    ['10.0.0.0/8', '', '::ffff:10.0.0.1', true],
    ['10.0.0.0/8', '', '::ffff:a00:1', true],
    ['', '10.0.0.0/8', '::ffff:10.0.0.1', false],
    ['10.0.0.0/8', '', '::10.0.0.1', false],
    // What is no address is not allowed; whom nobody has denied is.
    ['0.0.0.0/0', '', '', false],
    ['0.0.0.0/0', '', 'unknown', false],
    ['0.0.0.0/0', '', '10.0.0.1:80', false],
    ['0.0.0.0/0', '', '10.0.0.256', false],
    ['0.0.0.0/0', '', '010.0.0.1', false],
    ['0.0.0.0/0', '', '10.0.0.1\n', false],
    ['', '0.0.0.0/0', 'unknown', true],
  ];
  for (const [allow, deny, address, isAdmitted] of cases)
    test(`${isAdmitted ? '' : 'not '}${JSON.stringify(address)}: allow ${allow || '-'}, deny ${deny || '-'}`, () => {
      const list = (text: string): readonly string[] => (text === '' ? [] : text.split(' '));
      assert.equal(admits(list(allow), list(deny), address), isAdmitted);
    });

  test('without a policy everyone, whoever it is', () => {
    const filters = new RuleFilters([{ kind: 'RequestBody', maxBytes: 1 }]);
    assert.equal(filters.hasClientIp, false);
    for (const address of ['10.0.0.1', '::1', '', 'unknown']) assert(filters.admits(address));
  });

  test('the blocks are those that arithmetic says', () => {
    const text = (bits: number): string => [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
    // Few values, so that addresses often fall into blocks.
    const bits = fc.tuple(fc.constantFrom(0, 10, 192), fc.nat(3), fc.nat(3), fc.nat(255));
    const address = bits.map(([a, b, c, d]) => ((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
    const block = fc.record({ base: address, length: fc.integer({ min: 0, max: 32 }) });
    const holds = (each: { base: number; length: number }, client: number): boolean =>
      each.length === 0 || (each.base ^ client) >>> (32 - each.length) === 0;
    const blocks = fc.array(block, { maxLength: 3 });
    fc.assert(
      fc.property(blocks, blocks, address, fc.boolean(), (allow, deny, client, isMapped) => {
        const written = (list: typeof allow) => list.map(({ base, length }) => `${text(base)}/${length}`);
        const expected =
          !deny.some((each) => holds(each, client)) &&
          (allow.length === 0 || allow.some((each) => holds(each, client)));
        const clientText = isMapped ? `::ffff:${text(client)}` : text(client);
        assert.equal(admits(written(allow), written(deny), clientText), expected);
      }),
      { numRuns: 500 },
    );
  });

  test('a block of IPv6 says nothing about IPv4 clients', () => {
    assert.equal(admits([], ['::/0'], '10.0.0.1'), true);
    assert.equal(admits(['::/0'], [], '10.0.0.1'), false);
  });

  test('a block that is none is our own mistake: translation lets none through', () => {
    assert.throws(() => admits(['10.0.0.0/33'], [], '10.0.0.1'), RangeError);
    assert.throws(() => admits([], ['everyone'], '10.0.0.1'), RangeError);
  });
});

const redirect: Filter = {
  kind: 'RequestRedirect',
  scheme: 'https',
  hostname: { kind: 'SameHost' },
  port: 0,
  path: { kind: 'SamePath' },
  status: 308,
};

describe('a rule', () => {
  test('without filters pays nothing', () => assert.equal(compileFilters([]), undefined));

  test('has what its filters say', () => {
    const rewrite: Filter = {
      kind: 'UrlRewrite',
      hostname: { kind: 'SameHost' },
      path: { kind: 'SamePath' },
    };
    const filters = compileFilters([
      { kind: 'ClientIp', allow: [], deny: ['10.0.0.0/8'] },
      { kind: 'RequestBody', maxBytes: 10 },
      rewrite,
      { kind: 'RequestHeaders', remove: ['a'], set: [], add: [{ name: 'B', value: '1' }] },
      { kind: 'ResponseHeaders', remove: [], set: [{ name: 'C', value: '2' }], add: [] },
    ]);
    assert(filters !== undefined);
    assert.equal(filters.hasClientIp, true);
    assert.equal(filters.maxBodyBytes, 10);
    assert.deepEqual(filters.rewrite, rewrite);
    assert.equal(filters.answer, undefined);
    assert.deepEqual(
      [filters.requestHeaders?.lines, filters.requestHeaders?.dropsName('a')],
      ['B: 1\r\n', true],
    );
    assert.deepEqual(
      [filters.responseHeaders?.lines, filters.responseHeaders?.dropsName('a')],
      ['C: 2\r\n', false],
    );
  });

  test('has no limits and no changes when nothing says so', () => {
    const filters = compileFilters([redirect]);
    assert(filters !== undefined);
    assert.equal(filters.maxBodyBytes, Infinity);
    assert.deepEqual(filters.answer, redirect);
    assert.deepEqual(
      [filters.rewrite, filters.requestHeaders, filters.responseHeaders],
      [undefined, undefined, undefined],
    );
  });

  test('may answer by itself', () => {
    const direct: Filter = { kind: 'DirectResponse', status: 204, contentType: 'text/plain', body: '' };
    assert.deepEqual(compileFilters([direct])?.answer, direct);
  });
});
