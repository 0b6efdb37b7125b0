// Objects of one namespace to build large clusters from, and their translation, proved to be readable.
import assert from 'node:assert/strict';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { encode } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import type { Translation } from '#translate/translation.ts';
import { emptyView } from './empty-view.ts';

export const namespace = 'shop';

const ourClass: KubernetesObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'flint' },
  spec: { controller: 'flint.dev/ingress-controller' },
};

export function viewOf(objects: readonly KubernetesObject[]): ClusterView {
  const ofKind = (kind: string) => objects.filter((object) => object.kind === kind);
  return {
    ...emptyView,
    ingressRoutes: ofKind('IngressRoute'),
    ingressClasses: [ourClass],
    services: ofKind('Service'),
    endpointSlices: ofKind('EndpointSlice'),
    secrets: ofKind('Secret'),
    nodes: ofKind('Node'),
  };
}

export function translated(objects: readonly KubernetesObject[]): Translation {
  const translation = translate(viewOf(objects), defaultTranslateSettings);
  assert.equal(decode(encode(translation.model)).kind, 'Decoded');
  return translation;
}

/** The longer its name, the younger it is. */
export function route(
  name: string,
  hostnames: readonly string[],
  matches: readonly unknown[],
): KubernetesObject {
  return {
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: {
      name,
      namespace,
      creationTimestamp: `2024-01-01T00:00:${String(name.length).padStart(2, '0')}Z`,
    },
    spec: { hostnames, rules: [{ matches, backendRefs: [{ name: 'web', port: 80 }] }] },
  };
}

export const service: KubernetesObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace },
  spec: { ports: [{ port: 80 }] },
};

export function slice(
  number: number,
  addresses: readonly string[],
  zones: readonly string[] = [],
): KubernetesObject {
  const hints = zones.length === 0 ? {} : { hints: { forZones: zones.map((name) => ({ name })) } };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `web-${number}`, namespace, labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv6',
    ports: [{ port: 65_535 }],
    endpoints: addresses.map((address) => ({ addresses: [address], ...hints })),
  };
}

/** As many as are used at most and one more, in slices of a thousand. */
export function longestAddresses(count: number): readonly string[] {
  return Array.from(
    { length: count },
    (_, index) => `fd00:1111:2222:3333:4444:5555:6666:${(index + 0x1000).toString(16)}`,
  );
}
