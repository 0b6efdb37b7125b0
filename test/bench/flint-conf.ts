// A scene as Flint's own objects: an IngressRoute for each host, one Service, an EndpointSlice for each backend.
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { expressionOf, hostsOf, prefixOf, ruleNumbers, tenantHeader } from './scene.ts';
import type { Scene } from './scene.ts';

const backendRefs = [{ name: 'shop', port: 80 }];

/** `version` goes into every rule, so that two versions have no rule in common. */
export function flintObjects(
  scene: Scene,
  backends: readonly number[],
  version = 0,
): readonly KubernetesObject[] {
  const routes = hostsOf(scene).map((host) => ({
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name: host.replaceAll('.', '-'), namespace: 'bench' },
    spec: {
      hostnames: [host],
      rules: ruleNumbers(scene).map((number) => ({
        name: `v${version}-r${number}`,
        ...matchesOf(scene, number),
        backendRefs,
      })),
    },
  }));
  const metadata = { name: 'shop', namespace: 'bench' };
  return [
    ...routes,
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } },
    ...backends.map((port) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `shop-${port}`,
        namespace: 'bench',
        labels: { 'kubernetes.io/service-name': 'shop' },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'] }],
      ports: [{ port }],
    })),
  ];
}

/** The text of one manifest file; JSON is YAML too. */
export function manifestText(objects: readonly KubernetesObject[]): string {
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}

function matchesOf(scene: Scene, number: number): object {
  switch (scene.rules) {
    case 'everything':
      return {};
    case 'path':
      return { matches: [{ path: { type: 'PathPrefix', value: prefixOf(number) } }] };
    case 'header':
      return { matches: [{ headers: [{ name: tenantHeader, value: `t${number}` }] }] };
    case 'expression':
      return { matches: [{ path: { type: 'RegularExpression', value: expressionOf(number) } }] };
  }
}
