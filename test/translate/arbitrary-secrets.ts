// Generates Secrets that are fit, unfit or expired, what cert-manager says of them, and what was served last.
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import { namespaces, objectsOf, oneOf, record, secretNames } from './arbitrary-objects.ts';
import { testAuthorities } from './test-authorities.ts';
import { certificateOf, fitPairs, testPairs } from './test-pairs.ts';

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function mapped(
  texts: Readonly<Record<string, string>>,
  map: (text: string) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, map(text)]));
}

/** Of many, as cert-manager writes it; some are no good. */
const authorities = oneOf<Readonly<Record<string, string>>>(
  {},
  { 'ca.crt': '' },
  { 'ca.crt': 'no certificate' },
  ...Object.values(testAuthorities).map((text) => ({ 'ca.crt': text })),
  { 'ca.crt': Object.values(testAuthorities).join('') },
);

export const secrets = objectsOf(
  'v1',
  'Secret',
  secretNames,
  fc.constant({}),
  fc.tuple(oneOf(...Object.values(testPairs)), authorities, fc.nat(9)).map(([{ chain, key }, more, dice]) => {
    const texts = { 'tls.crt': chain, 'tls.key': key, ...more };
    // As only a file gives it, or as the API server does.
    return dice === 0
      ? { type: 'kubernetes.io/tls', stringData: texts }
      : { type: 'kubernetes.io/tls', data: mapped(texts, base64) };
  }),
  [0, 4],
);

const condition = record({
  type: oneOf('Ready', 'Issuing'),
  status: oneOf('True', 'False'),
  reason: oneOf('DoesNotExist', 'Pending'),
  message: oneOf('waiting for the challenge', 'no such issuer'),
});

/** Two may speak of one Secret. */
export const issuedCertificates: fc.Arbitrary<KubernetesObject[]> = objectsOf(
  'cert-manager.io/v1',
  'Certificate',
  ['c1', 'c2', 'c3'],
  fc.constant({}),
  fc.record({
    spec: oneOf(...secretNames, 'w').map((secretName) => ({ secretName })),
    status: record({ conditions: fc.array(condition, { maxLength: 2 }) }),
  }),
  [0, 3],
);

export const lastGood: fc.Arbitrary<ClusterView['lastGood']> = fc
  .uniqueArray(fc.tuple(oneOf(...namespaces), oneOf(...secretNames), oneOf(...Object.values(fitPairs))), {
    maxLength: 2,
    selector: ([namespace, name]) => `${namespace}/${name}`,
  })
  .map((entries) => {
    const certificates = entries.map(([namespace, name, pair]) =>
      certificateOf(`${namespace}/${name}`, pair),
    );
    return new Map(certificates.map((each) => [each.id, each]));
  });
