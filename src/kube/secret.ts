// Secrets: where they are, and the text that one holds.
import type { Resource } from './api-source.ts';
import type { KubeObject } from './source.ts';
import { textOf } from './config-map.ts';

export function secretsOf(namespace: string): Resource {
  return { groupVersion: '/api/v1', kind: 'Secret', plural: 'secrets', namespace };
}

/** The value of one key, decoded; undefined when there is none. */
export function secretTextOf(object: KubeObject, key: string): string | undefined {
  const encoded = textOf(object, key);
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
}

/** As the `data` of a Secret wants its values. */
export function secretValue(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
