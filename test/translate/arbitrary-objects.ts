// What all generated objects of a cluster share: few names, so that they meet, and the words to generate with.
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';

/** One is a prefix of the other, so that their order and that of `namespace/name` differ. */
export const namespaces = ['x', 'x', 'x', 'x-y', 'z'];
export const services = ['s', 't'];
export const secretNames = ['u', 'v'];
export const ages = ['2024-01-01T00:00:00Z', '2024-02-01T00:00:00Z', '2024-03-01T00:00:00Z'];

export const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

export const some = <T>(each: fc.Arbitrary<T>, minLength = 0): fc.Arbitrary<T[]> =>
  fc.array(each, { minLength, maxLength: 3, size: 'max' });

/** Any of its fields may be absent, but for the required ones. */
export const record = <T, K extends keyof T = never>(
  model: { [P in keyof T]: fc.Arbitrary<T[P]> },
  ...requiredKeys: K[]
) => fc.record(model, { noNullPrototype: true, requiredKeys });

/** Objects of one kind, each name once in a namespace. */
export function objectsOf(
  apiVersion: string,
  kind: string,
  names: readonly string[],
  metadata: fc.Arbitrary<object>,
  rest: fc.Arbitrary<object>,
  [minLength, maxLength]: readonly [number, number],
): fc.Arbitrary<KubernetesObject[]> {
  const object = fc
    .tuple(oneOf(...names), oneOf(...namespaces), metadata, rest)
    .map(([name, namespace, more, fields]) => ({
      apiVersion,
      kind,
      metadata: { ...more, name, namespace },
      ...fields,
    }));
  return fc.uniqueArray(object, {
    minLength,
    maxLength,
    size: 'max',
    selector: ({ metadata: { namespace, name } }) => `${namespace}/${name}`,
  });
}
