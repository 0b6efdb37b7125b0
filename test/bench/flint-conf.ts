// A scene as Flint's own objects: an IngressRoute for each host, one Service, an EndpointSlice for each backend.
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { backendAuthority, backendName } from './backend-pair.ts';
import { pair } from './pair.ts';
import { expressionOf, hostsOf, prefixOf, ruleNumbers, tenantHeader } from './scene.ts';
import type { Scene } from './scene.ts';

const backendRefs = [{ name: 'shop', port: 80 }];
const tls = { hostname: backendName, caCertificateRefs: [{ name: 'ca' }] };

/** What nginx and haproxy are told in their own words. */
const filters = {
  policy: { clientIP: { allow: ['127.0.0.0/8'] }, requestBody: { maxSize: '10Mi' } },
  filters: [
    {
      type: 'RequestHeaderModifier',
      requestHeaderModifier: {
        remove: ['X-Secret'],
        set: [{ name: 'X-Env', value: 'prod' }],
        add: [{ name: 'X-Team', value: 'shop' }],
      },
    },
    {
      type: 'ResponseHeaderModifier',
      responseHeaderModifier: {
        remove: ['Content-Type'],
        add: [{ name: 'Strict-Transport-Security', value: 'max-age=31536000' }],
      },
    },
  ],
};

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
      ...(scene.isSecure ? { tls: { certificateRefs: [{ name: 'pair' }] } } : {}),
      rules: ruleNumbers(scene).map((number) => ({
        name: `v${version}-r${number}`,
        ...matchesOf(scene, number),
        backendRefs: scene.hasSecureBackends ? backendRefs.map((ref) => ({ ...ref, tls })) : backendRefs,
      })),
    },
  }));
  const metadata = { name: 'shop', namespace: 'bench' };
  const appProtocol = scene.http2 === 'gRPC' ? { appProtocol: 'kubernetes.io/h2c' } : {};
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: 'pair', namespace: 'bench' },
    stringData: { 'tls.crt': pair.certificate, 'tls.key': pair.keyPem },
  };
  const authority = {
    ...secret,
    metadata: { name: 'ca', namespace: 'bench' },
    stringData: { 'tls.crt': '', 'tls.key': '', 'ca.crt': backendAuthority },
  };
  return [
    ...routes,
    ...(scene.isSecure ? [secret] : []),
    ...(scene.hasSecureBackends ? [authority] : []),
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80, ...appProtocol }] } },
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
    case 'filtered':
      return filters;
    case 'path':
      return { matches: [{ path: { type: 'PathPrefix', value: prefixOf(number) } }] };
    case 'header':
      return { matches: [{ headers: [{ name: tenantHeader, value: `t${number}` }] }] };
    case 'expression':
      return { matches: [{ path: { type: 'RegularExpression', value: expressionOf(number) } }] };
  }
}
