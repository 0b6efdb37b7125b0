// Generates small clusters whose hosts, namespaces, ages, Services and Secrets overlap on purpose, and settings.
import * as fc from 'fast-check';
import type { Claims, ClusterView, TranslateSettings } from '#translate/cluster-view.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { nodes, serviceObjects, sliceObjects } from './arbitrary-backends.ts';
import { ingresses } from './arbitrary-ingress.ts';
import { ages, namespaces, oneOf } from './arbitrary-objects.ts';
import { ingressRoutes, routeHosts } from './arbitrary-routes.ts';
import { testSessionKey } from './empty-view.ts';
import { issuedCertificates, lastGood, secrets } from './arbitrary-secrets.ts';

export const now = '2024-06-01T00:00:00Z';

/** Most often there is one of ours that is the default. */
const ingressClasses = fc
  .tuple(
    fc.nat(9),
    fc.subarray([
      ['flint-internal', 'flint.dev/ingress-controller', 'false'],
      ['nginx', 'k8s.io/ingress-nginx', 'true'],
    ] as const),
  )
  .map(([dice, others]) =>
    dice === 0 ? others : [...others, ['flint', 'flint.dev/ingress-controller', 'true'] as const],
  )
  .map((classes) =>
    classes.map(([name, controller, isDefault]) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name, annotations: { 'ingressclass.kubernetes.io/is-default-class': isDefault } },
      spec: { controller },
    })),
  );

const claims: fc.Arbitrary<Claims> = fc
  .uniqueArray(fc.tuple(oneOf(...routeHosts), oneOf(...namespaces, 'gone'), oneOf(...ages)), {
    selector: ([host]) => host,
    maxLength: 3,
  })
  .map((entries) => new Map(entries.map(([host, namespace, since]) => [host, { namespace, since }])));

export const clusterView: fc.Arbitrary<ClusterView> = fc.record({
  ingressRoutes,
  ingresses,
  ingressClasses,
  services: serviceObjects,
  endpointSlices: sliceObjects,
  secrets,
  nodes,
  issuedCertificates,
  claims,
  lastGood,
  sessionKey: fc.constant(testSessionKey),
  now: fc.constant(now),
});

export const translateSettings: fc.Arbitrary<TranslateSettings> = fc
  .record({
    externalNames: oneOf<TranslateSettings['externalNames']>('Refused', 'Public', 'Any'),
    wildcardsClaimSubdomains: fc.boolean(),
    defaultBackend: oneOf<TranslateSettings['defaultBackend']>(
      undefined,
      undefined,
      { namespace: 'x', service: 's', port: 80 },
      { namespace: 'x', service: 'gone', port: 80 },
    ),
    defaultCertificate: oneOf(undefined, undefined, 'x/u', 'x/gone'),
    assumedClass: oneOf('', '', '', 'flint'),
  })
  .map((part) => ({ ...defaultTranslateSettings, ...part }));
