// What the ownership policy is asked: namespaces with their annotations, and objects with hosts.

export interface RoutingObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Namespaces by their annotation; undefined: without one. */
export const namespaces: Readonly<Record<string, string | undefined>> = {
  none: undefined,
  empty: '',
  exact: 'shop.example.com',
  wild: '*.shop.example.com',
  both: ' shop.example.com ,\n*.shop.example.com,',
  shouting: 'SHOP.Example.Com,*.Blog.Example.com',
  all: '*',
  odd: '*shop.example.com,shop.*,*.,.example.com',
};

export const hostCases: readonly (readonly [namespace: string, host: string, 'allowed' | 'refused'])[] = [
  ['none', 'shop.example.com', 'refused'],
  ['none', '*', 'refused'],
  ['empty', 'shop.example.com', 'refused'],
  ['exact', 'shop.example.com', 'allowed'],
  ['exact', 'www.shop.example.com', 'refused'],
  ['exact', '*.shop.example.com', 'refused'],
  ['exact', 'shop.example.com.evil.test', 'refused'],
  ['exact', 'myshop.example.com', 'refused'],
  ['exact', 'example.com', 'refused'],
  ['exact', '*', 'refused'],
  ['wild', 'www.shop.example.com', 'allowed'],
  ['wild', 'a.b.c.shop.example.com', 'allowed'],
  ['wild', '*.shop.example.com', 'allowed'],
  ['wild', '*.eu.shop.example.com', 'allowed'],
  ['wild', 'shop.example.com', 'refused'],
  ['wild', 'myshop.example.com', 'refused'],
  ['wild', '*.example.com', 'refused'],
  ['wild', '*', 'refused'],
  ['both', 'shop.example.com', 'allowed'],
  ['both', 'www.shop.example.com', 'allowed'],
  ['both', 'blog.example.com', 'refused'],
  ['shouting', 'shop.example.com', 'allowed'],
  ['shouting', 'a.blog.example.com', 'allowed'],
  ['all', 'anything.test', 'allowed'],
  ['all', '*.test', 'allowed'],
  ['all', '*', 'allowed'],
  // What is no entry covers nothing but itself.
  ['odd', 'myshop.example.com', 'refused'],
  ['odd', 'shop.example.com', 'refused'],
  ['odd', 'www.example.com', 'refused'],
  ['odd', '*', 'refused'],
];

const backend = { service: { name: 'shop', port: { number: 80 } } };
export const http = { paths: [{ path: '/', pathType: 'Prefix', backend }] };

export const ingressCases: readonly {
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  /** Undefined: allowed. */
  readonly refused?: string;
}[] = [
  { name: 'a host of the annotation', spec: rulesOf('flint', 'shop.example.com') },
  { name: 'another host', spec: rulesOf('flint', 'evil.test'), refused: 'evil.test' },
  { name: 'a rule without host', spec: { ingressClassName: 'flint', rules: [{ http }] }, refused: '*' },
  {
    name: 'a rule without host, where every host is allowed',
    namespace: 'all',
    spec: { ingressClassName: 'flint', rules: [{ http }] },
  },
  {
    name: 'a default backend beside a host of the annotation',
    spec: { ...rulesOf('flint', 'shop.example.com'), defaultBackend: backend },
    refused: '*',
  },
  { name: 'a default backend alone', spec: { defaultBackend: backend }, refused: '*' },
  {
    name: 'another host in tls',
    spec: {
      ...rulesOf('flint', 'shop.example.com'),
      tls: [{ hosts: ['shop.example.com'] }, {}, { hosts: ['evil.test'] }],
    },
    refused: 'evil.test',
  },
  {
    name: 'tls without hosts',
    spec: { ...rulesOf('flint', 'shop.example.com'), tls: [{ secretName: 'shop-tls' }] },
  },
  { name: 'no class at all', spec: rulesOf(undefined, 'evil.test'), refused: 'evil.test' },
  { name: "another controller's class", spec: rulesOf('nginx', 'evil.test') },
  {
    name: "another controller's class in the older annotation",
    spec: rulesOf(undefined, 'evil.test'),
    annotations: { 'kubernetes.io/ingress.class': 'nginx' },
  },
  {
    name: "Flint's class in the older annotation",
    spec: rulesOf(undefined, 'evil.test'),
    annotations: { 'kubernetes.io/ingress.class': 'flint' },
    refused: 'evil.test',
  },
  {
    name: "a challenge of cert-manager's for a host of the annotation",
    spec: {
      rules: [
        {
          host: 'shop.example.com',
          http: {
            paths: [
              {
                path: '/.well-known/acme-challenge/token',
                pathType: 'ImplementationSpecific',
                backend: { service: { name: 'cm-acme-http-solver-x', port: { number: 8089 } } },
              },
            ],
          },
        },
      ],
    },
  },
];

export function route(name: string, ...hostnames: readonly string[]): RoutingObject {
  const spec = { hostnames, rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }] };
  return { apiVersion: 'flint.dev/v1alpha1', kind: 'IngressRoute', metadata: { name }, spec };
}

export function ingress(
  name: string,
  spec: RoutingObject['spec'],
  annotations: Readonly<Record<string, string>> = {},
): RoutingObject {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name, annotations }, spec };
}

/** "*" is a rule without host. */
export function rulesOf(
  ingressClassName: string | undefined,
  ...hosts: readonly string[]
): RoutingObject['spec'] {
  const rules = hosts.map((host) => (host === '*' ? { http } : { host, http }));
  return ingressClassName === undefined ? { rules } : { ingressClassName, rules };
}
