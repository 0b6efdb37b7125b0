// The Location of a redirect: what it gives, and what it keeps of the request.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { locationOf } from '#filter/request-redirect.ts';
import type { RedirectedRequest } from '#filter/request-redirect.ts';
import type { FilterOf } from '#model/filters.ts';

type Redirect = FilterOf<'RequestRedirect'>;

const nothing: Redirect = {
  kind: 'RequestRedirect',
  scheme: 'AsRequested',
  hostname: { kind: 'SameHost' },
  port: 0,
  path: { kind: 'SamePath' },
  status: 302,
};

const other = { kind: 'OtherHost', name: 'other.test' } as const;

/** Written as the URL that was asked for; without an authority as `http:/path`. */
function requestOf(url: string): RedirectedRequest {
  const [, scheme, authority = '', path = '', query = ''] =
    /^(https?):(?:\/\/([^/]*))?(\/[^?]*)(?:\?(.*))?$/.exec(url) ?? [];
  assert(scheme === 'http' || scheme === 'https', url);
  return { scheme, authority, path, query };
}

const cases: readonly (readonly [asked: string, given: Partial<Redirect>, location: string])[] = [
  // Nothing is given: the very URL that was asked for.
  ['http://shop.test/a/b?c=d&e', {}, 'http://shop.test/a/b?c=d&e'],
  ['https://shop.test/', {}, 'https://shop.test/'],
  ['http://Shop.Test:8080/%20', {}, 'http://Shop.Test:8080/%20'],
  ['https://shop.test:80/', {}, 'https://shop.test:80/'],
  ['http://shop.test:443/', {}, 'http://shop.test:443/'],
  // The port of the scheme is not written.
  ['http://shop.test:80/a', {}, 'http://shop.test/a'],
  ['https://shop.test:443/a', {}, 'https://shop.test/a'],
  ['http://shop.test:8080/a', { port: 80 }, 'http://shop.test/a'],
  ['https://shop.test/a', { port: 443 }, 'https://shop.test/a'],
  ['http://shop.test/a', { port: 443 }, 'http://shop.test:443/a'],
  // A given scheme brings its port.
  ['http://shop.test:8080/a', { scheme: 'https' }, 'https://shop.test/a'],
  ['https://shop.test:8443/a', { scheme: 'https' }, 'https://shop.test/a'],
  ['https://shop.test:8443/a', { scheme: 'http' }, 'http://shop.test/a'],
  ['http://shop.test/a', { scheme: 'https', port: 8443 }, 'https://shop.test:8443/a'],
  ['http://shop.test/a', { scheme: 'https', port: 443 }, 'https://shop.test/a'],
  ['http://shop.test/a', { scheme: 'https', port: 80 }, 'https://shop.test:80/a'],
  // Another host keeps the port that was asked for.
  ['http://shop.test:8080/a', { hostname: other }, 'http://other.test:8080/a'],
  ['http://shop.test:8080/a', { hostname: other, scheme: 'http' }, 'http://other.test/a'],
  ['http://shop.test/a', { hostname: other, port: 1 }, 'http://other.test:1/a'],
  // IPv6.
  ['http://[fd00::1]/a', {}, 'http://[fd00::1]/a'],
  ['http://[fd00::1]:8080/a', {}, 'http://[fd00::1]:8080/a'],
  ['http://[fd00::1]:80/a', {}, 'http://[fd00::1]/a'],
  ['http://[fd00::1]:8080/a', { scheme: 'https' }, 'https://[fd00::1]/a'],
  ['http://[fd00::1]:8080/a', { port: 9090 }, 'http://[fd00::1]:9090/a'],
  // An empty port is none.
  ['http://shop.test:/a', {}, 'http://shop.test/a'],
  // Paths; the query stays.
  ['http://shop.test/a?b', { path: { kind: 'OtherPath', path: '/c' } }, 'http://shop.test/c?b'],
  [
    'http://shop.test/a/b?c',
    { path: { kind: 'OtherPrefix', prefix: '/a', replacement: '/d' } },
    'http://shop.test/d/b?c',
  ],
  [
    'http://shop.test/a?',
    { path: { kind: 'OtherPrefix', prefix: '/a', replacement: '' } },
    'http://shop.test/',
  ],
  // Neither Host nor a given one, as HTTP/1.0 has it: only the path can be said.
  ['http:/a?b', {}, '/a?b'],
  ['http:/a', { scheme: 'https', port: 8443 }, '/a'],
  ['http:/a', { hostname: other }, 'http://other.test/a'],
  ['http:/a', { hostname: other, scheme: 'https', port: 8443 }, 'https://other.test:8443/a'],
];

describe('locationOf', () => {
  for (const [asked, given, location] of cases)
    test(`${asked} ${JSON.stringify(given)}`, () => {
      assert.equal(locationOf({ ...nothing, ...given }, requestOf(asked)), location);
    });

  test('the status changes nothing in it', () => {
    const request = requestOf('http://shop.test/a');
    for (const status of [301, 302, 303, 307, 308] as const)
      assert.equal(locationOf({ ...nothing, status }, request), 'http://shop.test/a');
  });
});

const schemes = fc.constantFrom('http' as const, 'https' as const);
const ports = fc.constantFrom('', ':80', ':443', ':8080');

test('whatever is given and asked, it is an absolute URL of the parts that the rule and the request say', () => {
  const redirects = fc.record({
    kind: fc.constant('RequestRedirect' as const),
    scheme: fc.oneof(schemes, fc.constant('AsRequested' as const)),
    hostname: fc.constantFrom({ kind: 'SameHost' } as const, other),
    port: fc.constantFrom(0, 80, 443, 9090),
    path: fc.constantFrom({ kind: 'SamePath' } as const, { kind: 'OtherPath', path: '/new' } as const),
    status: fc.constant(302 as const),
  });
  const requests = fc.record({
    scheme: schemes,
    host: fc.constantFrom('shop.test', '[fd00::1]', '10.0.0.1'),
    port: ports,
    path: fc.constantFrom('/', '/a/b'),
    query: fc.constantFrom('', 'a=b', '?//x.test'),
  });
  fc.assert(
    fc.property(redirects, requests, (redirect, { scheme, host, port, path, query }) => {
      const url = new URL(locationOf(redirect, { scheme, authority: `${host}${port}`, path, query }));
      const expected = new URL(`http://${redirect.hostname.kind === 'OtherHost' ? 'other.test' : host}`);
      expected.protocol = redirect.scheme === 'AsRequested' ? scheme : redirect.scheme;
      if (redirect.port !== 0) expected.port = String(redirect.port);
      else if (redirect.scheme === 'AsRequested') expected.port = port.slice(1);
      expected.pathname = redirect.path.kind === 'OtherPath' ? '/new' : path;
      expected.search = query === '' ? '' : `?${query}`;
      assert.equal(url.href, expected.href);
    }),
  );
});
