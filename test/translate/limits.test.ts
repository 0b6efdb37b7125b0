// What is too large for one chunk is cut or left out by translation, and said; the rest is served.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { decode, encode } from '#model/bundle.ts';
import { upstreamEndpoints } from '#model/limits.ts';
import { hostKey } from '#model/route-model.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';
import type { Translation } from '#translate/translate.ts';

const namespace = 'shop';

function translated(objects: readonly KubernetesObject[]): Translation {
  const ofKind = (kind: string) => objects.filter((object) => object.kind === kind);
  const translation = translate(
    {
      ingressRoutes: ofKind('IngressRoute'),
      ingressClasses: [
        {
          apiVersion: 'networking.k8s.io/v1',
          kind: 'IngressClass',
          metadata: { name: 'flint' },
          spec: { controller: 'flint.dev/ingress-controller' },
        },
      ],
      services: ofKind('Service'),
      endpointSlices: ofKind('EndpointSlice'),
      claims: new Map(),
      now: '2024-06-01T00:00:00Z',
    },
    defaultTranslateSettings,
  );
  assert.equal(decode(encode(translation.model)).kind, 'Decoded');
  return translation;
}

function route(name: string, hostnames: readonly string[], matches: readonly unknown[]): KubernetesObject {
  return {
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name, namespace, creationTimestamp: `2024-01-01T00:00:0${name.length}Z` },
    spec: { hostnames, rules: [{ matches, backendRefs: [{ name: 'web', port: 80 }] }] },
  };
}

const service: KubernetesObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace },
  spec: { ports: [{ port: 80 }] },
};

function slice(number: number, addresses: readonly string[]): KubernetesObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `web-${number}`, namespace, labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv6',
    ports: [{ port: 65_535 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  };
}

test('of too many endpoints the first ones are used, and the object is told', () => {
  const addresses = Array.from(
    { length: upstreamEndpoints + 1 },
    (_, index) => `fd00:1111:2222:3333:4444:5555:6666:${(index + 0x1000).toString(16)}`,
  );
  const slices = Array.from({ length: 11 }, (_, index) =>
    slice(index, addresses.slice(index * 1000, (index + 1) * 1000)),
  );
  const { model, verdicts } = translated([route('a', ['a.test'], [{}]), service, ...slices]);
  assert.deepEqual(
    model.upstreams[0]?.endpoints.map(({ address }) => address),
    addresses.slice(0, upstreamEndpoints),
  );
  assert.deepEqual(verdicts, [
    {
      kind: 'Accepted',
      object: { kind: 'IngressRoute', namespace, name: 'a' },
      hosts: ['a.test'],
      problems: [
        {
          reason: 'TooManyEndpoints',
          at: 'spec.rules[0].backendRefs[0]',
          message: 'Service shop/web has 10001 endpoints; 10000 of them are used',
        },
      ],
    },
  ]);
});

test('what is no address is no endpoint: it must not make a chunk that cannot be written', () => {
  const { model } = translated([
    route('a', ['a.test'], [{}]),
    service,
    slice(1, ['fd00::1', 'x'.repeat(1_000_000), '', 'web.test']),
  ]);
  assert.deepEqual(
    model.upstreams[0]?.endpoints.map(({ address }) => address),
    ['fd00::1'],
  );
});

/** Translates a route with one limit of bodies; `translated` proves that the model can be read. */
function limited(maxSize: string): Translation {
  const plain = route('a', ['a.test'], [{}]);
  return translated([
    { ...plain, spec: { ...(plain['spec'] as object), policy: { requestBody: { maxSize } } } },
    service,
  ]);
}

test('a large limit of bodies is a number that travels', () => {
  assert.deepEqual(limited('999999999Mi').model.hosts[0]?.rules[0]?.filters, [
    { kind: 'RequestBody', maxBytes: 999_999_999 * 1024 ** 2 },
  ]);
});

test('the largest that the CRD takes keeps nobody else from being served', () => {
  for (const maxSize of ['9007200G', '8388608Gi', '999999999G', '999999999Gi']) limited(maxSize);
});

test('policies of a route are in every rule of it, and count there', () => {
  const rules = Array.from({ length: 64 }, (_, index) => ({
    matches: [{ path: { value: `/${index}` } }],
    backendRefs: [{ name: 'web', port: 80 }],
  }));
  const block = (number: number): string =>
    `fd00:1111:2222:3333:4444:5555:6666:${(number + 0x1000).toString(16)}/128`;
  const allow = Array.from({ length: 128 }, (_, index) => block(index));
  const large = (name: string) => ({
    ...route(name, [], []),
    spec: { hostnames: ['both.test', `${name}.test`], policy: { clientIP: { allow, deny: allow } }, rules },
  });
  const second = large('bb');
  const others = second.spec.rules.map((rule, index) => ({
    ...rule,
    matches: [{ path: { value: `/b${index}` } }],
  }));
  const { model, verdicts } = translated([
    large('a'),
    { ...second, spec: { ...second.spec, rules: others } },
    service,
  ]);
  assert.deepEqual(
    model.hosts.map((host) => [hostKey(host.pattern), host.rules.length]),
    [
      ['a.test', 64],
      ['bb.test', 64],
      ['both.test', 64],
    ],
  );
  assert.deepEqual(
    verdicts.map((verdict) =>
      verdict.kind === 'NotOurs' ? [] : verdict.problems.map(({ reason }) => reason),
    ),
    [[], ['HostTooLarge']],
  );
});

/** About 6 kB each. */
function largeMatch(number: number): unknown {
  return {
    path: { value: `/${number}` },
    headers: Array.from({ length: 15 }, (_, index) => ({ name: `h${index}`, value: 'x'.repeat(350) })),
  };
}

test('a host holds as many objects as fit, the older ones first; the others keep their other hosts', () => {
  const matches = (from: number) => Array.from({ length: 64 }, (_, index) => largeMatch(from + index));
  const routes = [
    route('a', ['a.test'], [{ path: { value: '/first' } }]),
    route('bb', ['a.test'], matches(0)),
    route('ccc', ['a.test'], matches(100)),
    route('dddd', ['a.test', 'b.test'], matches(200)),
    route('eeeee', ['a.test'], [{ path: { value: '/last' } }]),
  ];
  const { model, verdicts } = translated([...routes, service]);
  assert.deepEqual(
    model.hosts.map((host) => [hostKey(host.pattern), host.rules.map(({ ref }) => ref.name)]),
    [
      ['a.test', ['a', 'bb', 'ccc', 'eeeee']],
      ['b.test', ['dddd']],
    ],
  );
  assert.deepEqual(
    verdicts.map((verdict) => [
      verdict.object.name,
      verdict.kind,
      verdict.kind === 'NotOurs' ? [] : verdict.problems.map(({ reason, at }) => `${reason} ${at}`),
    ]),
    [
      ['a', 'Accepted', []],
      ['bb', 'Accepted', []],
      ['ccc', 'Accepted', []],
      ['dddd', 'Accepted', ['HostTooLarge spec.hostnames']],
      ['eeeee', 'Accepted', []],
    ],
  );
});
