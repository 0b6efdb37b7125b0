// What is too large for one chunk is cut or left out by translation, and said; the rest is served.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { upstreamEndpoints } from '#model/limits.ts';
import { hostKey } from '#model/route-model.ts';
import { mostBundleBytes } from '#tls/ca-bundle.ts';
import type { Translation } from '#translate/translation.ts';
import { longestAddresses, namespace, route, service, slice, translated } from './shop-objects.ts';
import { testPairs } from './test-pairs.ts';
import { issue } from '../tls/certificates.ts';

test('of too many endpoints the first ones are used, and the object is told', () => {
  const addresses = longestAddresses(upstreamEndpoints + 1);
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
      certificates: [],
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

/** As many certificates of CAs as one ca.crt may hold. */
function largestBundle(): string {
  let text = '';
  for (;;) {
    const commonName = `${text.length} ${'x'.repeat(500)}`;
    const next = text + issue({ isAuthority: true, commonName }).certificate;
    if (next.length > mostBundleBytes) return text;
    text = next;
  }
}

test('endpoints, hints and authorities of one upstream fit a chunk together', () => {
  const addresses = longestAddresses(upstreamEndpoints);
  const slices = Array.from({ length: 10 }, (_, index) =>
    slice(index, addresses.slice(index * 1000, (index + 1) * 1000), ['north']),
  );
  const node: KubernetesObject = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n', labels: { 'topology.kubernetes.io/zone': 'north' } },
  };
  const secret: KubernetesObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: 'ca', namespace },
    data: { 'ca.crt': Buffer.from(largestBundle()).toString('base64') },
  };
  const hostname = [...Array.from({ length: 3 }, () => 'a'.repeat(63)), 'a'.repeat(61)].join('.');
  const tls = { hostname, caCertificateRefs: [{ name: 'ca' }] };
  const plain = route('a', ['a.test'], [{}]);
  const rules = [
    {
      backendRefs: [
        { name: 'web', port: 80, tls },
        { name: 'web', port: 80 },
      ],
    },
  ];
  const { model, verdicts } = translated([
    { ...plain, spec: { ...(plain['spec'] as object), rules } },
    service,
    ...slices,
    node,
    secret,
  ]);
  assert.deepEqual(
    model.upstreams.map(({ endpoints, zoneHints }) => [endpoints.length, zoneHints.length]),
    // What does not fit beside the authorities is said nowhere: every endpoint is used.
    [
      [upstreamEndpoints, 1],
      [upstreamEndpoints, 0],
    ],
  );
  assert.deepEqual(
    verdicts.map((verdict) => verdict.kind === 'Accepted' && verdict.problems),
    [[]],
  );
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
      ['dddd', 'Accepted', ['HostTooLarge spec.hostnames[0]']],
      ['eeeee', 'Accepted', []],
    ],
  );
});

test('an object that is too large for any host by itself claims none', () => {
  const matches = Array.from({ length: 200 }, (_, index) => largeMatch(index));
  const huge = route('a', ['a.test'], matches);
  const other = { ...route('bb', ['a.test'], [{}]), metadata: { name: 'bb', namespace: 'other' } };
  const { model, verdicts, claims } = translated([huge, other]);
  assert.deepEqual(
    model.hosts.map(({ rules }) => rules.map(({ ref }) => ref.namespace)),
    [['other']],
  );
  assert.equal(claims.get('a.test')?.namespace, 'other');
  assert.deepEqual(
    verdicts.map((verdict) => `${verdict.kind} ${verdict.object.namespace}`),
    ['Accepted other', 'Rejected shop'],
  );
});

test('hints of zones are left out where they would not fit beside their endpoints', () => {
  const zones = Array.from({ length: 8 }, (_, index) => `zone-${index}`);
  const addresses = longestAddresses(upstreamEndpoints);
  const slices = Array.from({ length: 10 }, (_, index) =>
    slice(index, addresses.slice(index * 1000, (index + 1) * 1000), zones),
  );
  const { model } = translated([route('a', ['a.test'], [{}]), service, ...slices]);
  assert.equal(model.upstreams[0]?.endpoints.length, upstreamEndpoints);
  assert.deepEqual(model.upstreams[0]?.zoneHints, []);
  // Where they do fit they are kept, however many endpoints there are.
  const each = slices.map((_, index) =>
    slice(index, addresses.slice(index * 1000, (index + 1) * 1000), ['zone-1']),
  );
  assert.equal(
    translated([route('a', ['a.test'], [{}]), service, ...each]).model.upstreams[0]?.zoneHints.length,
    1,
  );
});

test('zones of more nodes than fit are no zones at all', () => {
  const nodes = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: `${index}-${'n'.repeat(240)}`,
        labels: { 'topology.kubernetes.io/zone': `zone-${'z'.repeat(50)}` },
      },
    }));
  const zone = `zone-${'z'.repeat(50)}`;
  const objects = [route('a', ['a.test'], [{}]), service, slice(1, ['fd00::1'], [zone])];
  assert.equal(translated([...objects, ...nodes(1000)]).model.zones.length, 1000);
  const { model } = translated([...objects, ...nodes(4000)]);
  assert.deepEqual(model.zones, []);
});

test('the certificates of a host count as well as its rules', () => {
  const pair = { 'tls.crt': testPairs['shop']?.chain, 'tls.key': testPairs['shop']?.key };
  const nameOf = (number: number): string => `${number}-${'s'.repeat(240)}`;
  const secrets = Array.from({ length: 3600 }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: nameOf(index), namespace },
    stringData: pair,
  }));
  const routes = Array.from({ length: 450 }, (_, index) => {
    const plain = route(`r${index}`, ['a.test'], [{ path: { value: `/${index}` } }]);
    const certificateRefs = Array.from({ length: 8 }, (__, ref) => ({ name: nameOf(index * 8 + ref) }));
    return { ...plain, spec: { ...(plain['spec'] as object), tls: { certificateRefs } } };
  });
  const { verdicts } = translated([...routes, ...secrets]);
  const refused = verdicts.filter(({ kind }) => kind === 'Rejected');
  assert.ok(refused.length > 0 && refused.length < 100, `${refused.length} are refused`);
});
