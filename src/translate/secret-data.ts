// What a Secret holds under a key, as text.
import type { KubernetesObject } from '#api/kubernetes-object.ts';

/** Base64, as the API server gives it; empty for what is none, which then is no PEM either. */
export function dataOf(object: KubernetesObject, key: string): string {
  const { data, stringData } = object as Readonly<Record<string, unknown>>;
  const plain = textAt(stringData, key);
  return plain === '' ? Buffer.from(textAt(data, key), 'base64').toString('utf8') : plain;
}

function textAt(values: unknown, key: string): string {
  if (typeof values !== 'object' || values === null || !Object.hasOwn(values, key)) return '';
  const text = (values as Readonly<Record<string, unknown>>)[key];
  return typeof text === 'string' ? text : '';
}
