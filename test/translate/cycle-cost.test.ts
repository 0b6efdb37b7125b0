// What one cycle of translation and encoding costs, in CPU time, for 5,000 routes with two Services of ten endpoints
// each. The figures are printed; what is asserted is only that a change costs a small part of the whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { BundleEncoder } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import type { Translation } from '#translate/translation.ts';
import { Translator } from '#translate/translator.ts';
import { viewOf } from './shop-objects.ts';

const count = 5000;
const rounds = 15;

function objectsOf(number: number): readonly KubernetesObject[] {
  const namespace = `team-${number % 100}`;
  const services = [`a-${number}`, `b-${number}`];
  const spec = {
    hostnames: [`h${number}.example.com`],
    rules: [
      { matches: [{ path: { value: '/api' } }], backendRefs: [{ name: services[0], port: 80 }] },
      { backendRefs: services.map((name) => ({ name, port: 80, weight: 5 })) },
    ],
  };
  return [
    {
      apiVersion: 'flint.dev/v1alpha1',
      kind: 'IngressRoute',
      metadata: { name: `r-${number}`, namespace, creationTimestamp: '2024-01-01T00:00:00Z' },
      spec,
    },
    ...services.flatMap((name, index) => [
      { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec: { ports: [{ port: 80 }] } },
      sliceOf(name, namespace, `10.${(number >> 8) + index}.${number & 255}`),
    ]),
  ];
}

function sliceOf(service: string, namespace: string, network: string): KubernetesObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-1`, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: Array.from({ length: 10 }, (_, index) => ({ addresses: [`${network}.${index}`] })),
  };
}

/** One after the other, as an operator does it: claims come back as they were given. */
class Cycles {
  readonly #translator = new Translator(defaultTranslateSettings);
  readonly #encoder = new BundleEncoder();
  #claims: ClusterView['claims'] = new Map();

  run(view: ClusterView): {
    readonly translation: Translation;
    readonly bundle: Bundle;
    readonly times: Times;
  } {
    const startedMs = cpuMs();
    const translation = this.#translator.translate({ ...view, claims: this.#claims });
    const translatedMs = cpuMs();
    const bundle = this.#encoder.encode(translation.model);
    const endedMs = cpuMs();
    this.#claims = translation.claims;
    return {
      translation,
      bundle,
      times: { translate: translatedMs - startedMs, encode: endedMs - translatedMs },
    };
  }
}

/** Of this thread: others may be busy on the same cores. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** CPU time in milliseconds. */
interface Times {
  readonly translate: number;
  readonly encode: number;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test('the cost of a cycle', (context) => {
  const view = viewOf(Array.from({ length: count }, (_, number) => objectsOf(number)).flat());
  const cycles = new Cycles();
  const report = (what: string, times: readonly Times[]): number => {
    const translateMs = meanOf(times.map(({ translate }) => translate));
    const encodeMs = meanOf(times.map(({ encode }) => encode));
    const wholeMs = meanOf(times.map(({ translate, encode }) => translate + encode));
    context.diagnostic(
      `${what}: ${wholeMs.toFixed(2)} ms (translate ${translateMs.toFixed(2)}, encode ${encodeMs.toFixed(2)})`,
    );
    return wholeMs;
  };
  const first = cycles.run(view);
  assert.equal(first.translation.model.hosts.length, count);
  assert.equal(first.translation.model.upstreams.length, 2 * count);
  const firstMs = report('first', [first.times]);

  let current = view;
  let digest = first.bundle.digest;
  const repeated = (what: string, isOther: boolean, next: (round: number) => ClusterView): number => {
    const times = Array.from({ length: rounds }, (_, round) => {
      current = next(round);
      const cycle = cycles.run(current);
      assert.equal(cycle.bundle.digest !== digest, isOther, what);
      digest = cycle.bundle.digest;
      return cycle.times;
    });
    return report(what, times);
  };
  const replaced = (
    objects: readonly KubernetesObject[],
    index: number,
    change: (object: KubernetesObject) => KubernetesObject,
  ): readonly KubernetesObject[] => objects.map((object, each) => (each === index ? change(object) : object));

  const costs = [
    repeated('one route changed', true, (round) => ({
      ...current,
      ingressRoutes: replaced(current.ingressRoutes, 300 * round, (object) => ({
        ...object,
        spec: { ...(object['spec'] as object), policy: { requestBody: { maxSize: `${round + 1}Mi` } } },
      })),
    })),
    repeated('one slice changed', true, (round) => ({
      ...current,
      endpointSlices: replaced(current.endpointSlices, 600 * round, ({ metadata }) =>
        sliceOf(metadata.name.slice(0, -2), metadata.namespace ?? '', '192.0.2'),
      ),
    })),
    repeated('one Service changed', false, (round) => ({
      ...current,
      services: replaced(current.services, 600 * round, (object) => ({ ...object })),
    })),
    repeated('one route added', true, (round) => {
      const [added] = objectsOf(count + round);
      return { ...current, ingressRoutes: added === undefined ? [] : [...current.ingressRoutes, added] };
    }),
    repeated('nothing changed', false, () => current),
    repeated('nothing changed, lists anew', false, () => ({
      ...current,
      ingressRoutes: [...current.ingressRoutes],
      services: [...current.services],
      endpointSlices: [...current.endpointSlices],
    })),
  ];
  for (const changeMs of costs) assert.ok(changeMs < firstMs / 3, `${changeMs} of ${firstMs} ms`);
});
