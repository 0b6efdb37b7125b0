// Recognition of field names in bytes, and the table of fields that end at a proxy.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Field, fieldIdOf, isHopByHop, nameIs } from '#http/field.ts';
import type { FieldId } from '#http/field.ts';

const known: Readonly<Record<string, FieldId>> = {
  host: Field.Host,
  connection: Field.Connection,
  'keep-alive': Field.KeepAlive,
  'proxy-connection': Field.ProxyConnection,
  'transfer-encoding': Field.TransferEncoding,
  'content-length': Field.ContentLength,
  te: Field.Te,
  trailer: Field.Trailer,
  upgrade: Field.Upgrade,
  expect: Field.Expect,
  forwarded: Field.Forwarding,
  'x-real-ip': Field.Forwarding,
  'x-forwarded-for': Field.Forwarding,
  'x-forwarded-proto': Field.Forwarding,
  'x-forwarded-client-cert': Field.Forwarding,
  'x-request-id': Field.RequestId,
  'proxy-authenticate': Field.ProxyAuthentication,
  'proxy-authorization': Field.ProxyAuthentication,
  'proxy-authentication-info': Field.ProxyAuthentication,
  'http2-settings': Field.Http2Settings,
  date: Field.Date,
};

const unknown: readonly string[] = [
  'hosts',
  'hos',
  'h0st',
  'content-lengths',
  'content.length',
  'x-forwarded-',
  'x-forwarded',
  'xforwarded-for',
  'cookie',
  'authorization',
  '~',
  `x-${'a'.repeat(300)}`,
];

/** In the middle of other bytes, as in a head. */
function idOf(name: string): FieldId {
  const bytes = Buffer.from(`\r\n${name}: x`, 'latin1');
  return fieldIdOf(bytes, 2, 2 + name.length, name.includes('_'));
}

function withCase(name: string, isUpper: readonly boolean[]): string {
  return Array.from(name)
    .map((letter, at) => (isUpper[at % isUpper.length] === true ? letter.toUpperCase() : letter))
    .join('');
}

const cases = fc.array(fc.boolean(), { minLength: 1, maxLength: 30 });

describe('fieldIdOf', () => {
  for (const [name, id] of Object.entries(known))
    test(`knows ${name} in any case`, () => {
      fc.assert(
        fc.property(cases, (isUpper) => {
          assert.equal(idOf(withCase(name, isUpper)), id);
        }),
        { numRuns: 30 },
      );
    });

  for (const name of unknown)
    test(`does not know ${name.slice(0, 40)}`, () => {
      assert.equal(idOf(name), Field.Other);
    });

  test('sees through any underscores in place of hyphens', () => {
    const hyphenated = fc.constantFrom(...Object.keys(known).filter((name) => name.includes('-')));
    fc.assert(
      fc.property(hyphenated, cases, cases, (name, isUnderscore, isUpper) => {
        const disguised = Array.from(name)
          .map((letter, at) =>
            letter === '-' && isUnderscore[at % isUnderscore.length] === true ? '_' : letter,
          )
          .join('');
        fc.pre(disguised !== name);
        assert.equal(idOf(withCase(disguised, isUpper)), Field.Disguised);
      }),
    );
  });

  test('leaves other names with underscores alone', () => {
    for (const name of ['tenant_id', '_host', 'host_', 'x_y', '_'])
      assert.equal(idOf(name), Field.Other, name);
  });
});

describe('nameIs', () => {
  test('compares a range with a lower-case name', () => {
    const bytes = Buffer.from('xxCoOkIexx');
    assert(nameIs(bytes, 2, 8, 'cookie'));
    assert(!nameIs(bytes, 2, 7, 'cookie'));
    assert(!nameIs(bytes, 1, 7, 'cookie'));
    assert(nameIs(bytes, 3, 3, ''));
  });

  test('does not take other bytes for letters in another case', () => {
    // Folding case by one bit would make these two equal.
    assert(!nameIs(Buffer.from('\x01'), 0, 1, '!'));
    assert(!nameIs(Buffer.from('@'), 0, 1, '`'));
    assert(nameIs(Buffer.from('^_'), 0, 2, '^_'));
  });
});

test('these fields end at a proxy, and no others', () => {
  const dropped = Object.entries(Field)
    .filter(([, id]) => isHopByHop[id] === 1)
    .map(([name]) => name);
  assert.deepEqual(dropped, [
    'Connection',
    'KeepAlive',
    'ProxyConnection',
    'TransferEncoding',
    'Te',
    'Trailer',
    'Upgrade',
    'ProxyAuthentication',
    'Http2Settings',
  ]);
  assert(Object.values(Field).every((id) => isHopByHop[id] !== undefined));
});
