// Generates IngressRoutes whose hosts, ages, Services and Secrets overlap on purpose; some are broken.
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { requestPolicy, withFilters } from './arbitrary-filters.ts';
import { retry, sessionPersistence } from './arbitrary-policies.ts';
import {
  ages,
  namespaces,
  objectsOf,
  oneOf,
  record,
  secretNames,
  services,
  some,
} from './arbitrary-objects.ts';

export const routeHosts = ['a.test', 'b.test', '*', '*.test'];

const named = record(
  { type: oneOf('Exact', 'RegularExpression'), name: oneOf('n', 'm', 'k', 'l'), value: oneOf('1', 'v.*') },
  'name',
  'value',
);

const uniquelyNamed = fc.uniqueArray(named, { maxLength: 2, selector: ({ name }) => name });

const match = record({
  path: record({
    type: oneOf('Exact', 'PathPrefix', 'RegularExpression'),
    value: oneOf('/', '/a', '/a/', '/a/b', '/%61'),
  }),
  method: oneOf('GET', 'POST'),
  headers: uniquelyNamed,
  queryParams: uniquelyNamed,
});

const caCertificateRefs = fc
  .uniqueArray(oneOf(...secretNames, 'w'), { minLength: 1, maxLength: 2 })
  .map((names) => names.map((name) => ({ name })));

/** In some. */
const backendTls = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(oneOf('a.internal', 'b.internal'), caCertificateRefs)
      .map(([hostname, refs]) => ({ tls: { hostname, caCertificateRefs: refs } })),
  },
  {
    weight: 1,
    arbitrary: fc.constant({ tls: { hostname: 'a.internal', wellKnownCACertificates: 'System' } }),
  },
);

const backendRef = fc
  .tuple(
    record(
      { name: oneOf(...services, 'gone'), port: oneOf(80, 80, 81), weight: oneOf(0, 1, 9) },
      'name',
      'port',
    ),
    backendTls,
  )
  .map(([ref, tls]) => ({ ...ref, ...tls }));

const plainRule = record(
  {
    name: oneOf('first', 'second', 'third'),
    matches: some(fc.oneof(match, fc.constant({ path: { value: '/a' } }))),
    backendRefs: fc
      .tuple(some(backendRef, 1), some(backendRef))
      .map(([refs, others]) => [...refs, ...others.map((ref) => ({ ...ref, fallback: true }))]),
    retry,
    sessionPersistence,
    timeouts: record({ request: oneOf('1s', '0s'), backendRequest: oneOf('500ms'), idle: oneOf('3s') }),
    policy: requestPolicy,
  },
  'backendRefs',
);

/** Every other one has filters. */
const rule = fc.oneof(plainRule, plainRule.chain(withFilters));

const doubtful = oneOf('Reject', 'Keep', 'Decode');

const plainSpec = record(
  {
    ingressClassName: oneOf('flint', 'flint', 'flint', 'flint', 'nginx'),
    hostnames: fc.uniqueArray(oneOf(...routeHosts), { minLength: 1, maxLength: 2 }),
    policy: fc
      .tuple(requestPolicy, record({ encodedSlash: doubtful, backslash: doubtful }))
      .map(([policy, path]) => ({ ...policy, path })),
    rules: some(rule, 1),
  },
  'hostnames',
  'rules',
);

const certificateRefs = fc
  .uniqueArray(oneOf(...secretNames, 'w'), { minLength: 1, maxLength: 2 })
  .map((names) => names.map((name) => ({ name })));

const tlsPolicy = record({
  plaintext: oneOf('Redirect', 'Serve', 'Reject'),
  minVersion: oneOf('1.2', '1.3'),
  validation: record(
    {
      caCertificateRefs: oneOf(...secretNames, 'w').map((name) => [{ name }]),
      mode: fc.constant('AllowInsecureFallback'),
    },
    'caCertificateRefs',
    'mode',
  ),
  strictTransportSecurity: record(
    { maxAge: oneOf('0s', '24h'), includeSubDomains: oneOf(true, false), preload: oneOf(false) },
    'maxAge',
  ),
});

const issuerRef = record(
  { name: oneOf('issuer', 'other'), kind: oneOf('ClusterIssuer'), group: oneOf('cert-manager.io') },
  'name',
);

/** Every other one has certificates, and some of those an issuer where it may. */
const routeSpec = fc
  .tuple(plainSpec, certificateRefs, issuerRef, tlsPolicy, fc.nat(3))
  .map(([spec, refs, issuer, policy, dice]) => {
    if (dice < 2) return spec;
    const mayIssue = dice === 3 && refs.length === 1 && !spec.hostnames.includes('*');
    const issued = mayIssue ? { issuerRef: issuer } : {};
    return { ...spec, tls: { certificateRefs: refs, ...policy, ...issued } };
  });

/** The one thing that sees no request. */
const passthroughSpec = fc
  .tuple(plainSpec, plainRule)
  .map(
    ([{ hostnames, ...spec }, { matches: _m, policy: _p, retry: _r, sessionPersistence: _s, ...only }]) => ({
      hostnames,
      ...('ingressClassName' in spec ? { ingressClassName: spec.ingressClassName } : {}),
      tls: { mode: 'Passthrough' },
      rules: [only],
    }),
  );

const brokenSpec = fc.oneof(
  fc.jsonValue(),
  routeSpec.map((spec) => ({ ...spec, hostnames: [...spec.hostnames, 'NO'] })),
  routeSpec.map((spec) => ({ ...spec, tls: { certificateRefs: [] } })),
  routeSpec.map((spec) => ({
    ...spec,
    rules: [
      ...spec.rules,
      { matches: [{ headers: [{ type: 'RegularExpression', name: 'x', value: '(' }] }] },
    ],
  })),
  // Sound in itself, and no path that a request could have.
  routeSpec.map((spec) => ({
    ...spec,
    rules: [
      ...spec.rules,
      {
        filters: [
          {
            type: 'RequestRedirect',
            requestRedirect: { path: { type: 'ReplaceFullPath', replaceFullPath: '/%zz' } },
          },
        ],
      },
    ],
  })),
);

export const ingressRoutes = objectsOf(
  'flint.dev/v1alpha1',
  'IngressRoute',
  ['p', 'q', 'r'],
  record({ creationTimestamp: oneOf(...ages), generation: fc.nat(3) }),
  fc.record(
    {
      spec: fc.oneof(
        { weight: 8, arbitrary: routeSpec },
        { weight: 1, arbitrary: passthroughSpec },
        { weight: 1, arbitrary: brokenSpec },
      ),
    },
    { noNullPrototype: true },
  ),
  [0, 9],
);

/** Of a name that no generated object has, and older than all of them. */
export const brokenRoute: fc.Arbitrary<KubernetesObject> = fc
  .tuple(oneOf(...namespaces), brokenSpec)
  .map(([namespace, spec]) => ({
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name: 'a-broken-one', namespace, creationTimestamp: '2020-01-01T00:00:00Z' },
    spec,
  }));
