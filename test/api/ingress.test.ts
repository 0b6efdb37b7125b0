// The parser of Ingresses: what each field reads as, what costs only a part of the object, and what no JSON can do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseIngress } from '#api/ingress.ts';
import type { Ingress } from '#api/ingress.ts';
import type { KubernetesObject, ObjectMeta } from '#api/kubernetes-object.ts';

function ingress(spec: unknown, metadata: Partial<ObjectMeta> = {}): KubernetesObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace: 'shop', ...metadata },
    spec,
  };
}

function parsed(spec: unknown, metadata?: Partial<ObjectMeta>): Ingress {
  const result = parseIngress(ingress(spec, metadata));
  assert.equal(result.kind, 'Parsed', JSON.stringify(result));
  return result.value;
}

function refusals(spec: unknown): readonly string[] {
  const result = parseIngress(ingress(spec));
  return result.kind === 'Parsed' ? [] : result.problems.map(({ at, message }) => `${at} ${message}`);
}

const web = { service: { name: 'web', port: { number: 80 } } };
const oneRule = (rule: object): object => ({ rules: [rule] });
const onePath = (path: object): object => oneRule({ http: { paths: [path] } });

test('every field', () => {
  const value = parsed(
    {
      ingressClassName: 'flint',
      defaultBackend: { service: { name: 'rest', port: { name: 'http' } } },
      tls: [{ hosts: ['a.test', 'b.test'], secretName: 'a-tls' }, { secretName: 'any-tls' }, {}],
      rules: [
        {
          host: 'a.test',
          http: {
            paths: [
              { path: '/a', pathType: 'Exact', backend: web },
              { path: '/b', pathType: 'Prefix', backend: web },
              { pathType: 'ImplementationSpecific', backend: web },
            ],
          },
        },
        { http: { paths: [{ path: '/', pathType: 'Prefix', backend: web }] } },
        { host: '*.c.test' },
      ],
    },
    {
      generation: 3,
      creationTimestamp: '2024-01-01T00:00:00Z',
      annotations: { 'kubernetes.io/ingress.class': 'old' },
      labels: { 'acme.cert-manager.io/http01-solver': 'true' },
    },
  );
  const backend = { kind: 'Service', name: 'web', port: 80 };
  assert.deepEqual(value, {
    namespace: 'shop',
    name: 'web',
    generation: 3,
    creationTimestamp: '2024-01-01T00:00:00Z',
    ingressClassName: 'flint',
    classAnnotation: 'old',
    hasSolverLabel: true,
    defaultBackend: { kind: 'Service', name: 'rest', port: 'http' },
    rules: [
      {
        hostname: 'a.test',
        paths: [
          { index: 0, type: 'Exact', path: '/a', backend },
          { index: 1, type: 'Prefix', path: '/b', backend },
          { index: 2, type: 'ImplementationSpecific', path: '', backend },
        ],
      },
      { hostname: '*', paths: [{ index: 0, type: 'Prefix', path: '/', backend }] },
      { hostname: '*.c.test', paths: [] },
    ],
    tls: [
      { index: 0, hosts: ['a.test', 'b.test'], secretName: 'a-tls' },
      { index: 1, hosts: [], secretName: 'any-tls' },
      { index: 2, hosts: [], secretName: '' },
    ],
    problems: [],
  });
});

test('an Ingress without a spec asks for nothing', () => {
  const { rules, tls, defaultBackend, ingressClassName, classAnnotation, hasSolverLabel } = parsed(undefined);
  assert.deepEqual(
    [rules, tls, defaultBackend, ingressClassName, classAnnotation, hasSolverLabel],
    [[], [], undefined, undefined, '', false],
  );
});

test('null reads as absent, as the API server has it', () => {
  const value = parsed({ defaultBackend: null, tls: null, rules: [{ host: null, http: null }] });
  assert.deepEqual(value.rules, [{ hostname: '*', paths: [] }]);
  assert.deepEqual([value.defaultBackend, value.tls, value.problems], [undefined, [], []]);
});

test('only the label of value "true" is that of a solver', () => {
  for (const text of ['', 'True', 'yes', 'false'])
    assert.equal(
      parsed({}, { labels: { 'acme.cert-manager.io/http01-solver': text } }).hasSolverLabel,
      false,
    );
});

for (const [what, spec, problem, left] of [
  [
    'a resource as backend of a path',
    onePath({ path: '/', pathType: 'Prefix', backend: { resource: { kind: 'Bucket', name: 'b' } } }),
    'spec.rules[0].http.paths[0].backend.resource a resource is no backend here; only a Service is',
    'Unusable',
  ],
  [
    'a backend of nothing',
    onePath({ path: '/', pathType: 'Prefix', backend: {} }),
    'spec.rules[0].http.paths[0].backend.service is required',
    'Unusable',
  ],
  [
    'no backend',
    onePath({ path: '/', pathType: 'Prefix' }),
    'spec.rules[0].http.paths[0].backend is required',
    'Unusable',
  ],
  [
    'a backend without a port',
    onePath({ path: '/', pathType: 'Prefix', backend: { service: { name: 'web' } } }),
    'spec.rules[0].http.paths[0].backend.service.port needs either a number or a name',
    'Unusable',
  ],
  [
    'a port by number and name at once',
    onePath({
      path: '/',
      pathType: 'Prefix',
      backend: { service: { name: 'web', port: { number: 80, name: 'http' } } },
    }),
    'spec.rules[0].http.paths[0].backend.service.port needs either a number or a name',
    'Unusable',
  ],
  [
    'a path type of another day',
    onePath({ path: '/', pathType: 'Suffix', backend: web }),
    'spec.rules[0].http.paths[0].pathType "Suffix" is unknown to this version of Flint',
    'none',
  ],
  [
    'no path type',
    onePath({ path: '/', backend: web }),
    'spec.rules[0].http.paths[0].pathType is required',
    'none',
  ],
] as const)
  test(`costs only its path: ${what}`, () => {
    const { rules, problems } = parsed(spec);
    assert.deepEqual(
      problems.map(({ reason, at, message }) => `${reason} ${at} ${message}`),
      [`Invalid ${problem}`],
    );
    assert.equal(rules[0]?.paths[0]?.backend.kind ?? 'none', left);
  });

test('a path that cannot be used leaves the places of the others as they are', () => {
  const path = (pathType: string): object => ({ path: '/', pathType, backend: web });
  const { rules } = parsed(oneRule({ http: { paths: [path('Suffix'), path('Exact'), path('Prefix')] } }));
  assert.deepEqual(
    rules[0]?.paths.map(({ index, type }) => [index, type]),
    [
      [1, 'Exact'],
      [2, 'Prefix'],
    ],
  );
});

for (const [host, fault] of [
  ['*', 'is no host; a rule without one takes every host'],
  ['Shop.test', 'is neither a lower-case DNS name, a *. wildcard nor "*"'],
  ['a.*.test', 'is neither a lower-case DNS name, a *. wildcard nor "*"'],
  ['shop.test:80', 'is neither a lower-case DNS name, a *. wildcard nor "*"'],
  [`${'a'.repeat(64)}.test`, 'is neither a lower-case DNS name, a *. wildcard nor "*"'],
  ['10.0.0.1', 'is an IP address; a hostname is a DNS name'],
] as const)
  test(`costs only its rule: the host ${host}`, () => {
    const { rules, problems } = parsed({ rules: [{ host }, { host: 'b.test' }] });
    assert.deepEqual(
      rules.map(({ hostname }) => hostname),
      [undefined, 'b.test'],
    );
    assert.deepEqual(problems, [
      { reason: 'Invalid', at: 'spec.rules[0].host', message: `"${host}" ${fault}` },
    ]);
  });

test('what no API server stores is refused whole, with its place', () => {
  assert.deepEqual(refusals('x'), ['spec must be an object, not a string']);
  assert.deepEqual(refusals({ rules: {} }), ['spec.rules must be a list, not an object']);
  assert.deepEqual(refusals({ tls: [{ hosts: [1] }] }), [
    'spec.tls[0].hosts[0] must be a string, not a number',
  ]);
  assert.deepEqual(refusals(onePath({ path: 7, pathType: 'Exact', backend: web })), [
    'spec.rules[0].http.paths[0].path must be a string, not a number',
  ]);
  assert.deepEqual(refusals({ defaultBackend: { service: { name: 'web', port: { number: 70_000 } } } }), [
    'spec.defaultBackend.service.port.number must be a whole number from 0 to 65535',
  ]);
});

test('no JSON makes it throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (spec, metadata) => {
      const result = parseIngress({ ...ingress(spec), metadata: metadata as unknown as ObjectMeta });
      assert.ok(result.kind === 'Parsed' || result.problems.length > 0);
    }),
    { numRuns: 2000 },
  );
});
