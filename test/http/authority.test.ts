// Host and authority: what becomes a hostname, and what becomes nothing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { hostnameOf } from '#http/authority.ts';

const hostnames: readonly (readonly [authority: string, hostname: string])[] = [
  ['a.example', 'a.example'],
  ['A.Example', 'a.example'],
  ['a.example.', 'a.example'],
  ['a.example:80', 'a.example'],
  ['a.example.:80', 'a.example'],
  ['a.example:', 'a.example'],
  ['a.example:0', 'a.example'],
  ['a.example:65535', 'a.example'],
  ['a_b-c~d.example', 'a_b-c~d.example'],
  ['localhost', 'localhost'],
  ['192.0.2.1', '192.0.2.1'],
  ['192.0.2.1:8080', '192.0.2.1'],
  ['[::1]', '[::1]'],
  ['[2001:DB8::1]:443', '[2001:db8::1]'],
  ['[::ffff:192.0.2.1]', '[::ffff:192.0.2.1]'],
  ['x'.repeat(255), 'x'.repeat(255)],
];

const refused: readonly string[] = [
  '',
  ':80',
  'user@a.example',
  'user:pass@a.example',
  'a.example:http',
  'a.example:-1',
  'a.example:+80',
  'a.example: 80',
  'a.example:65536',
  'a.example:000080',
  'a.example:80:80',
  'a.example/',
  'a.example?x',
  'a.example#x',
  'a example',
  ' a.example',
  'a.example\t',
  'a%2eexample',
  'a\\b',
  'a.example\0',
  'caf\u00e9.example',
  '2001:db8::1',
  '[::1',
  '::1]',
  '[::1]x',
  '[::1]:x',
  '[::1]]',
  '[]',
  '[a.example]',
  '[:::::]',
  '[192.0.2.1]',
  '[::1%25eth0]',
  '[fe80::1%eth0]',
  'x'.repeat(256),
];

describe('hostnameOf', () => {
  for (const [authority, hostname] of hostnames)
    test(`takes ${authority.slice(0, 40)}`, () => {
      assert.equal(hostnameOf(authority), hostname);
    });

  for (const authority of refused)
    test(`refuses ${JSON.stringify(authority.slice(0, 40))}`, () => {
      assert.equal(hostnameOf(authority), undefined);
    });

  test('gives the same name with any port and in any case', () => {
    const label = fc.stringMatching(/^[a-z0-9]{1,12}$/);
    const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
    fc.assert(
      fc.property(name, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
        assert.equal(hostnameOf(`${name.toUpperCase()}:${port}`), name);
      }),
    );
  });

  test('never gives a name that a URL would take apart', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 12 }), (authority) => {
        const hostname = hostnameOf(authority);
        if (hostname === undefined) return;
        assert.doesNotMatch(hostname, /[\0-\x20/?#@\\%\x7f]/);
        assert.equal(hostname, hostname.toLowerCase());
      }),
    );
  });
});
