// A cluster of files stores what an API server would store: refusals keep the earlier version, prune removes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import { hostKey } from '#model/route-model.ts';
import { loadCrdValidators } from '#local/crd-file.ts';
import { LocalCluster, collectionOf } from '#local/local-cluster.ts';
import { parseManifests } from '#local/manifests.ts';
import type { Manifest } from '#local/manifests.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';

const validators = loadCrdValidators();
const now = '2024-06-01T00:00:00Z';

function manifests(text: string): readonly Manifest[] {
  const parsed = parseManifests(text, 'f.yaml');
  assert.deepEqual(parsed.faults, []);
  return parsed.manifests;
}

function route(hostname: string, metadata = 'name: web'): string {
  return `---
apiVersion: flint.dev/v1alpha1
kind: IngressRoute
metadata: {${metadata}}
spec: {hostnames: [${hostname}], rules: [{backendRefs: [{name: web, port: 80}]}]}
`;
}

/** `namespace/name host` of each stored route. */
function stored(cluster: LocalCluster): readonly string[] {
  return cluster
    .view(now)
    .ingressRoutes.map(
      ({ metadata, ...rest }) =>
        `${metadata.namespace}/${metadata.name} ${(rest['spec'] as { hostnames: string[] }).hostnames.join(' ')}`,
    );
}

test('objects go to the collection of their kind, others nowhere', () => {
  const cluster = new LocalCluster(validators);
  const text = `${route('a.test')}---
{apiVersion: v1, kind: Service, metadata: {name: web}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1}}
---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: c}, spec: {controller: flint.dev/ingress-controller}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}
---
{apiVersion: v1beta1, kind: Service, metadata: {name: old}}
`;
  assert.deepEqual(cluster.replace(manifests(text)), []);
  const { ingressRoutes, services, endpointSlices, ingressClasses } = cluster.view(now);
  const names = [ingressRoutes, services, endpointSlices, ingressClasses].map((objects) =>
    objects.map(({ metadata }) => metadata.name),
  );
  assert.deepEqual(names, [['web'], ['web'], ['web-1'], ['c']]);
  assert.equal(collectionOf({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }), undefined);
});

test('an object without a namespace is in default; an IngressClass is in none', () => {
  const cluster = new LocalCluster(validators);
  cluster.replace(
    manifests(`${route('a.test')}${route('b.test', 'name: web, namespace: shop')}---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: c}}
`),
  );
  assert.deepEqual(stored(cluster), ['default/web a.test', 'shop/web b.test']);
  assert.deepEqual(
    cluster.view(now).ingressClasses.map(({ metadata }) => metadata),
    [{ name: 'c' }, { name: 'flint' }],
  );
});

test('an empty namespace is none', () => {
  const cluster = new LocalCluster(validators);
  for (const namespace of ['', 'null', '""']) {
    cluster.replace(manifests(route('a.test', `name: web, namespace: ${namespace}`)));
    assert.deepEqual(stored(cluster), ['default/web a.test']);
  }
});

test('without a class of ours in the files there is one; with one there is no other', () => {
  const cluster = new LocalCluster(validators);
  const classes = (text: string): readonly string[] => {
    cluster.replace(manifests(text));
    return cluster.view(now).ingressClasses.map(({ metadata }) => metadata.name);
  };
  const classText = (name: string, controller: string): string =>
    `---\n{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: ${name}}, spec: {controller: ${controller}}}\n`;
  assert.deepEqual(classes(route('a.test')), ['flint']);
  assert.deepEqual(classes(classText('nginx', 'k8s.io/ingress-nginx')), ['nginx', 'flint']);
  assert.deepEqual(classes(classText('mine', 'flint.dev/ingress-controller')), ['mine']);
});

test('a refused object keeps its earlier version, and says so with every problem and its place', () => {
  const cluster = new LocalCluster(validators);
  const broken = route('B.test, 10.0.0.1').replace('port: 80', 'port: 0');
  const first = cluster.replace(manifests(broken));
  assert.deepEqual(stored(cluster), []);
  assert.deepEqual(
    first.map(({ object, position, problem, isKept }) => [
      object,
      `${position.line}:${position.column}`,
      problem.at,
      isKept,
    ]),
    [
      [{ kind: 'IngressRoute', namespace: 'default', name: 'web' }, '5:20', 'spec.hostnames[0]', false],
      [
        { kind: 'IngressRoute', namespace: 'default', name: 'web' },
        '5:74',
        'spec.rules[0].backendRefs[0].port',
        false,
      ],
    ],
  );
  assert.deepEqual(cluster.replace(manifests(route('a.test'))), []);
  assert.deepEqual(
    cluster.replace(manifests(broken)).map(({ isKept }) => isKept),
    [true, true],
  );
  assert.deepEqual(stored(cluster), ['default/web a.test']);
  // And again: what is kept is the last good version, however often the broken one is read.
  cluster.replace(manifests(broken));
  assert.deepEqual(stored(cluster), ['default/web a.test']);
});

test('an object that is gone goes, also one that was only kept', () => {
  const cluster = new LocalCluster(validators);
  cluster.replace(manifests(`${route('a.test')}${route('b.test', 'name: other')}`));
  cluster.replace(manifests(route('B.test', 'name: other')));
  assert.deepEqual(stored(cluster), ['default/other b.test']);
  cluster.replace([]);
  assert.deepEqual(stored(cluster), []);
});

test('of two objects with one name the later wins', () => {
  const cluster = new LocalCluster(validators);
  cluster.replace(manifests(`${route('a.test')}${route('b.test', 'name: web, namespace: default')}`));
  assert.deepEqual(stored(cluster), ['default/web b.test']);
});

test('of two objects with one name, the later one refused, the good one stays', () => {
  const cluster = new LocalCluster(validators);
  cluster.replace(manifests(route('old.test')));
  const refused = cluster.replace(manifests(`${route('new.test')}${route('B.test')}`));
  assert.deepEqual(stored(cluster), ['default/web new.test']);
  assert.deepEqual(
    refused.map(({ isKept }) => isKept),
    [true],
  );
});

const strangeMetadata: readonly Readonly<Record<string, unknown>>[] = [
  { namespace: 5 },
  { namespace: ['x'] },
  { namespace: 'x/y' },
  { namespace: 'x', creationTimestamp: 5 },
  { namespace: 'x', creationTimestamp: { toString: 1 } },
  { namespace: 'x', generation: 'one' },
  { namespace: 'x', labels: 'a=b', annotations: [] },
];

for (const metadata of strangeMetadata)
  test(`metadata that no API server would store spoils nothing beside it: ${JSON.stringify(metadata)}`, () => {
    const cluster = new LocalCluster(validators);
    const strange = JSON.stringify({ name: 'strange', ...metadata }).slice(1, -1);
    cluster.replace(manifests(`${route('b.test')}${route('a.test', strange)}`));
    const { model } = translate(cluster.view(now), defaultTranslateSettings);
    const decoded = decode(encode(model));
    assert.equal(decoded.kind, 'Decoded');
    assert.ok(decoded.model.hosts.some(({ pattern }) => hostKey(pattern) === 'b.test'));
  });

test('claims are kept from one view to the next', () => {
  const cluster = new LocalCluster(validators);
  assert.equal(cluster.view(now).claims.size, 0);
  cluster.claims = new Map([['a.test', { namespace: 'x', since: now }]]);
  assert.equal(cluster.view(now).claims.get('a.test')?.namespace, 'x');
});
