// A cluster's objects, as its tools and controllers write them: per route two Services of ten endpoints each, spread over
// fifty namespaces. Each endpoint has an address and port of its own, and behind all of them one program answers.
import { createHash } from 'node:crypto';

export interface ClusterObject {
  readonly apiVersion: string;
  readonly kind: 'IngressRoute' | 'Service' | 'EndpointSlice';
  readonly metadata: Metadata;
  readonly [field: string]: unknown;
}

interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly [field: string]: unknown;
}

export interface EndpointSlice extends ClusterObject {
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  readonly addresses: readonly [string];
  readonly conditions: Conditions;
}

interface Conditions {
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

export const namespaces = Array.from(
  { length: 50 },
  (_, number) => `team-${String(number).padStart(2, '0')}`,
);

const endpointsPerSlice = 10;
/** 10.213.16.0 to 10.213.255.255: what lies below is data planes and probes. */
const addresses = 240 * 256;
const firstPort = 9000;
const slicesPerPort = addresses / endpointsPerSlice;
const ready: Conditions = { ready: true, serving: true, terminating: false };
const unready: Conditions = { ready: false, serving: false, terminating: false };

/** Where a backend has to listen for `routes` routes. */
export function backendPorts(routes: number): readonly number[] {
  return Array.from(
    { length: Math.ceil((2 * Math.max(1, routes)) / slicesPerPort) },
    (_, index) => firstPort + index,
  );
}

export function namespaceOf(number: number): string {
  return namespaces[number % namespaces.length] ?? '';
}

export function hostOf(number: number): string {
  return `app-${number}.${namespaceOf(number)}.example.com`;
}

/** Everything of one route, what it refers to first. */
export function objectsOf(number: number): readonly ClusterObject[] {
  return [
    serviceOf(number, 'stable'),
    serviceOf(number, 'canary'),
    sliceOf(number, 'stable'),
    sliceOf(number, 'canary'),
    routeOf(number),
  ];
}

export function routeOf(number: number, path = '/v1'): ClusterObject {
  const name = `app-${number}`;
  const backendRefs = [
    { name: `${name}-stable`, port: 80, weight: 90 },
    { name: `${name}-canary`, port: 80, weight: 10 },
  ];
  return applied({
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name, namespace: namespaceOf(number), labels: labelsOf(number) },
    spec: {
      hostnames: [hostOf(number)],
      rules: [{ matches: [{ path: { type: 'PathPrefix', value: path } }], backendRefs }],
    },
  });
}

/** For a route of one Service. */
export function plainRoute(namespace: string, name: string, service: string, path = '/'): ClusterObject {
  return applied({
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name, namespace },
    spec: {
      hostnames: [plainHost(name)],
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: path } }],
          backendRefs: [{ name: service, port: 80 }],
        },
      ],
    },
  });
}

export function plainHost(name: string): string {
  return `${name}.example.com`;
}

export function plainService(namespace: string, name: string): ClusterObject {
  const metadata = { name, namespace, labels: { app: name } };
  const ports = [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }];
  return applied({
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { clusterIP: 'None', selector: { app: name }, ports },
  });
}

function serviceOf(number: number, track: string): ClusterObject {
  const labels = { ...labelsOf(number), track };
  const ports = [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }];
  return applied({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `app-${number}-${track}`, namespace: namespaceOf(number), labels },
    // With an address of its own each Service would cost the API server a walk over those of all others.
    spec: { clusterIP: 'None', selector: { app: `app-${number}`, track }, ports },
  });
}

export function sliceOf(number: number, track: 'stable' | 'canary', unreadyIndex = -1): EndpointSlice {
  const place = 2 * number + (track === 'stable' ? 0 : 1);
  const first = (place % slicesPerPort) * endpointsPerSlice;
  const hosts = Array.from({ length: endpointsPerSlice }, (_, index) => first + index);
  return slice({
    namespace: namespaceOf(number),
    service: `app-${number}-${track}`,
    addresses: hosts.map((host) => `10.213.${16 + Math.floor(host / 256)}.${host % 256}`),
    port: firstPort + Math.floor(place / slicesPerPort),
    unreadyIndex,
  });
}

export interface SliceShape {
  readonly namespace: string;
  readonly service: string;
  /** Distinguishes several slices of one Service. */
  readonly suffix?: string;
  readonly addresses: readonly string[];
  readonly port?: number;
  readonly unreadyIndex?: number;
}

/** As the EndpointSlice controller writes one. */
export function slice(shape: SliceShape): EndpointSlice {
  const { namespace, service, suffix = 'x7k2p', port = firstPort, unreadyIndex = -1 } = shape;
  const owner = { apiVersion: 'v1', kind: 'Service', name: service, uid: uidOf(service) };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${service}-${suffix}`,
      namespace,
      generateName: `${service}-`,
      labels: {
        app: service,
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        'kubernetes.io/service-name': service,
      },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-05-04T09:13:37Z' },
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port, protocol: 'TCP' }],
    endpoints: shape.addresses.map((address, index) => {
      const pod = `${service}-6d4cf56db6-${podSuffix(address)}`;
      return {
        addresses: [address],
        conditions: index === unreadyIndex ? unready : ready,
        nodeName: `node-${index % 3}`,
        targetRef: { kind: 'Pod', namespace, name: pod, uid: uidOf(pod) },
        zone: `zone-${index % 3}`,
      };
    }),
  };
}

export function pathOf({ kind, metadata }: ClusterObject): string {
  return `${collectionOf(kind, metadata.namespace)}/${metadata.name}`;
}

export function collectionOf(kind: ClusterObject['kind'], namespace: string): string {
  const [group, plural] = places[kind];
  return `${group}/namespaces/${namespace}/${plural}`;
}

const places = {
  IngressRoute: ['/apis/flint.dev/v1alpha1', 'ingressroutes'],
  Service: ['/api/v1', 'services'],
  EndpointSlice: ['/apis/discovery.k8s.io/v1', 'endpointslices'],
} as const;

/** With the annotation that `kubectl apply` leaves, which doubles an object. */
function applied(object: ClusterObject): ClusterObject {
  const text = `${JSON.stringify(object)}\n`;
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': text };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function labelsOf(number: number): Readonly<Record<string, string>> {
  return {
    'app.kubernetes.io/name': `app-${number}`,
    'app.kubernetes.io/part-of': namespaceOf(number),
    'app.kubernetes.io/managed-by': 'kustomize',
  };
}

/** Nobody looks at it, but it has the form of one, and differs from object to object. */
function uidOf(name: string): string {
  const hex = createHash('sha1').update(name).digest('hex');
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([from, to]) => hex.slice(from, to))
    .join('-');
}

function podSuffix(address: string): string {
  return Number(address.split('.').slice(2).join('')).toString(36).padStart(5, '0').slice(-5);
}
