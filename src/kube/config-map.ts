// ConfigMaps: where they are, and the text that one holds.
import type { Resource } from './api-source.ts';
import type { KubeObject } from './source.ts';

export function configMapsOf(namespace: string): Resource {
  return { groupVersion: '/api/v1', kind: 'ConfigMap', plural: 'configmaps', namespace };
}

/** The value of one key; undefined when there is none, or none that is text. */
export function textOf(object: KubeObject, key: string): string | undefined {
  const values = object['data'];
  if (typeof values !== 'object' || values === null || !Object.hasOwn(values, key)) return undefined;
  const text: unknown = (values as Readonly<Record<string, unknown>>)[key];
  return typeof text === 'string' ? text : undefined;
}
