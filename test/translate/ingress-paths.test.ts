// Which path of an Ingress takes a request: every example of the Kubernetes documentation, and its rule by itself as a
// second opinion on generated paths.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { normalizePath } from '#model/request-path.ts';
import { compile } from '#route/route-table.ts';
import type { RouteTable } from '#route/route-table.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';
import { requestOf } from '../route/arbitrary-request.ts';
import { emptyView } from './empty-view.ts';

type Path = readonly [pathType: 'Exact' | 'Prefix' | 'ImplementationSpecific', path: string];

const ourClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'flint' },
  spec: { controller: 'flint.dev/ingress-controller' },
};

const backend = { service: { name: 'web', port: { number: 80 } } };

function ruleOf(host: string | undefined, paths: readonly Path[]): object {
  const http = { paths: paths.map(([pathType, path]) => ({ pathType, path, backend })) };
  return host === undefined ? { http } : { host, http };
}

function tableOf(spec: object): RouteTable {
  const ingress: KubernetesObject = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { ingressClassName: 'flint', ...spec },
  };
  const view = { ...emptyView, ingresses: [ingress], ingressClasses: [ourClass] };
  return compile(translate(view, defaultTranslateSettings).model.hosts);
}

/** The rule that takes the request, as the data plane decides it; "404" without one, "400" for a path that it refuses. */
function takenBy(table: RouteTable, hostname: string, path: string): string {
  const host = table.findHost(hostname);
  if (host === undefined) return '404';
  const normal = normalizePath(path, host.pathPolicy);
  if (normal.kind === 'Refused') return '400';
  return host.match(requestOf('GET', normal.path))?.route.ref.rule ?? '404';
}

describe('the examples of the Kubernetes documentation', () => {
  const rows: readonly (readonly [paths: readonly Path[], request: string, takenBy: number | undefined])[] = [
    [[['Prefix', '/']], '/', 0],
    [[['Prefix', '/']], '/any/path', 0],
    [[['Exact', '/foo']], '/foo', 0],
    [[['Exact', '/foo']], '/bar', undefined],
    [[['Exact', '/foo']], '/foo/', undefined],
    [[['Exact', '/foo/']], '/foo', undefined],
    [[['Prefix', '/foo']], '/foo', 0],
    [[['Prefix', '/foo']], '/foo/', 0],
    [[['Prefix', '/foo/']], '/foo', 0],
    [[['Prefix', '/foo/']], '/foo/', 0],
    [[['Prefix', '/aaa/bb']], '/aaa/bbb', undefined],
    [[['Prefix', '/aaa/bbb']], '/aaa/bbb', 0],
    [[['Prefix', '/aaa/bbb/']], '/aaa/bbb', 0],
    [[['Prefix', '/aaa/bbb']], '/aaa/bbb/', 0],
    [[['Prefix', '/aaa/bbb']], '/aaa/bbb/ccc', 0],
    [[['Prefix', '/aaa/bbb']], '/aaa/bbbxyz', undefined],
    [
      [
        ['Prefix', '/'],
        ['Prefix', '/aaa'],
      ],
      '/aaa/ccc',
      1,
    ],
    [
      [
        ['Prefix', '/'],
        ['Prefix', '/aaa'],
        ['Prefix', '/aaa/bbb'],
      ],
      '/aaa/bbb',
      2,
    ],
    [
      [
        ['Prefix', '/'],
        ['Prefix', '/aaa'],
        ['Prefix', '/aaa/bbb'],
      ],
      '/ccc',
      0,
    ],
    [[['Prefix', '/aaa']], '/ccc', undefined],
    [
      [
        ['Prefix', '/foo'],
        ['Exact', '/foo'],
      ],
      '/foo',
      1,
    ],
  ];
  for (const [paths, request, index] of rows) {
    const written = paths.map(([type, path]) => `${type} ${path}`).join(', ');
    test(`${written} <- ${request}`, () => {
      const expected = index === undefined ? undefined : `rules[0].paths[${index}]`;
      const spec = { rules: [ruleOf('a.test', paths)] };
      assert.equal(takenBy(tableOf(spec), 'a.test', request), expected ?? '404');
      const withDefault = tableOf({ ...spec, defaultBackend: backend });
      assert.equal(takenBy(withDefault, 'a.test', request), expected ?? 'defaultBackend');
      // The order of the list decides nothing between paths that differ.
      const turned = tableOf({ rules: [ruleOf('a.test', paths.toReversed())] });
      const from = index === undefined ? '404' : `rules[0].paths[${paths.length - 1 - index}]`;
      assert.equal(takenBy(turned, 'a.test', request), from);
    });
  }

  for (const [host, request, matches] of [
    ['*.foo.com', 'bar.foo.com', true],
    ['*.foo.com', 'baz.bar.foo.com', false],
    ['*.foo.com', 'foo.com', false],
    ['bar.foo.com', 'bar.foo.com', true],
    ['bar.foo.com', 'foo.com', false],
  ] as const)
    test(`host ${host} <- ${request}`, () => {
      const table = tableOf({ rules: [ruleOf(host, [['Prefix', '/']])] });
      assert.equal(takenBy(table, request, '/'), matches ? 'rules[0].paths[0]' : '404');
    });
});

describe('the examples of docs/reference/ingress.md', () => {
  const text = readFileSync(new URL('../../docs/reference/ingress.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| `(\S+)` \| `(\S+)` \| (yes|no) \|$/gm)];
  assert.ok(rows.length > 10, `only ${rows.length} rows were found`);
  for (const [, type = '', path = '', request = '', answer] of rows)
    test(`${type} ${path} <- ${request}`, () => {
      const table = tableOf({ rules: [ruleOf('a.test', [[type as Path[0], path]])] });
      assert.equal(takenBy(table, 'a.test', request), answer === 'yes' ? 'rules[0].paths[0]' : '404');
    });
});

describe('hosts', () => {
  const table = tableOf({
    rules: [
      ruleOf('a.test', [['Prefix', '/a']]),
      ruleOf('*.test', [['Prefix', '/w']]),
      ruleOf(undefined, [['Prefix', '/any']]),
      ruleOf('a.test', [['Prefix', '/more']]),
    ],
  });
  for (const [host, path, rule] of [
    ['a.test', '/a', 'rules[0].paths[0]'],
    ['a.test', '/more', 'rules[3].paths[0]'],
    // A host that is found is final.
    ['a.test', '/w', '404'],
    ['a.test', '/any', '404'],
    ['b.test', '/w', 'rules[1].paths[0]'],
    ['b.test', '/any', '404'],
    ['c.b.test', '/any', 'rules[2].paths[0]'],
    ['other', '/any/thing', 'rules[2].paths[0]'],
    ['10.0.0.1', '/any', 'rules[2].paths[0]'],
    ['other', '/', '404'],
  ] as const)
    test(`${host}${path} <- ${rule}`, () => assert.equal(takenBy(table, host, path), rule));
});

describe('the default backend', () => {
  test('of an Ingress without rules takes everything', () => {
    const table = tableOf({ defaultBackend: backend });
    for (const host of ['a.test', 'b.c.test', '10.0.0.1'])
      for (const path of ['/', '/a/b']) assert.equal(takenBy(table, host, path), 'defaultBackend');
  });

  test('of an Ingress with rules takes what is left on its hosts, and no other host', () => {
    const table = tableOf({
      defaultBackend: backend,
      rules: [ruleOf('a.test', [['Exact', '/']]), ruleOf('b.test', [['Prefix', '/']]), { host: 'c.test' }],
    });
    assert.equal(takenBy(table, 'a.test', '/'), 'rules[0].paths[0]');
    assert.equal(takenBy(table, 'a.test', '/other'), 'defaultBackend');
    assert.equal(takenBy(table, 'b.test', '/other'), 'rules[1].paths[0]');
    assert.equal(takenBy(table, 'c.test', '/other'), 'defaultBackend');
    assert.equal(takenBy(table, 'd.test', '/'), '404');
  });

  test("is not everybody's because a host could not be used", () => {
    const table = tableOf({ defaultBackend: backend, rules: [{ host: '10.0.0.1' }] });
    assert.equal(takenBy(table, '10.0.0.1', '/'), '404');
  });
});

describe('paths that are no plain text', () => {
  for (const [type, path, request, rule] of [
    ['ImplementationSpecific', '/a', '/a/b', 'rules[0].paths[0]'],
    ['ImplementationSpecific', '', '/a/b', 'rules[0].paths[0]'],
    ['Prefix', '', '/a/b', 'rules[0].paths[0]'],
    ['Exact', '', '/', 'rules[0].paths[0]'],
    ['Exact', '', '/a', '404'],
    // Case matters, in normal form it is compared.
    ['Exact', '/Foo', '/foo', '404'],
    ['Prefix', '/Foo', '/foo/a', '404'],
    ['Prefix', '/a%7eb', '/a~b/c', 'rules[0].paths[0]'],
    ['Exact', '/caf%c3%a9', '/caf%C3%A9', 'rules[0].paths[0]'],
    ['Prefix', '/a', '/b/../a', 'rules[0].paths[0]'],
    ['Prefix', '/a', '/a/%2e%2e/b', '404'],
    ['Prefix', '/a', '/a//b', '400'],
    ['Prefix', '/a', '/a%2Fb', '400'],
    // An expression is text here.
    ['ImplementationSpecific', '/a(/|$)(.*)', '/a/b', '404'],
  ] as const)
    test(`${type} "${path}" <- ${request}`, () => {
      assert.equal(takenBy(tableOf({ rules: [ruleOf('a.test', [[type, path]])] }), 'a.test', request), rule);
    });

  test('a path that no request can have costs itself alone', () => {
    for (const path of ['/a b', '/a?b', '/%zz', '/a%2Fb', '/a//b', '/caf\u00e9', 'a', '/..;/a']) {
      const paths: readonly Path[] = [
        ['ImplementationSpecific', path],
        ['Prefix', '/b'],
      ];
      const table = tableOf({ rules: [ruleOf('a.test', paths)] });
      assert.equal(takenBy(table, 'a.test', '/b'), 'rules[0].paths[1]', path);
    }
  });
});

/** Element by element, as the documentation has it; the longest first, Exact before Prefix, then the order of the list. */
function documented(paths: readonly Path[], request: string): number | undefined {
  const elementsOf = (path: string): readonly string[] => path.replace(/\/$/, '').split('/').slice(1);
  const asked = elementsOf(request);
  const fitting = paths.flatMap(([type, path], index) => {
    const isExact = type === 'Exact';
    const fits = isExact
      ? path === request
      : elementsOf(path).every((element, position) => element === asked[position]);
    return fits ? [{ index, isExact, elements: elementsOf(path).length }] : [];
  });
  fitting.sort(
    (a, b) => b.elements - a.elements || Number(b.isExact) - Number(a.isExact) || a.index - b.index,
  );
  return fitting[0]?.index;
}

test('generated paths are matched as the documentation says', () => {
  const path = fc
    .tuple(fc.array(fc.constantFrom('a', 'b', 'ab', 'A'), { maxLength: 3 }), fc.constantFrom('', '/'))
    .map(([elements, end]) => (elements.length === 0 ? '/' : `/${elements.join('/')}${end}`));
  const types = fc.constantFrom('Exact' as const, 'Prefix' as const, 'ImplementationSpecific' as const);
  const paths = fc.array(fc.tuple(types, path), { minLength: 1, maxLength: 8 });
  let taken = 0;
  fc.assert(
    fc.property(paths, fc.array(path, { minLength: 8, maxLength: 8 }), (list, requests) => {
      const table = tableOf({ rules: [ruleOf('a.test', list)] });
      for (const request of requests) {
        const expected = documented(list, request);
        if (expected !== undefined) taken++;
        assert.equal(
          takenBy(table, 'a.test', request),
          expected === undefined ? '404' : `rules[0].paths[${expected}]`,
        );
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(taken > 500, `only ${taken} requests were taken`);
});
