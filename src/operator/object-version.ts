// Which of two versions of one object is the later one: what was written may be newer than what a watch has shown.
import type { KubernetesObject } from '#api/kubernetes-object.ts';

/** As the API server gave it; empty when it gave none. */
export function resourceVersionOf(object: KubernetesObject): string {
  const { resourceVersion }: Readonly<Record<string, unknown>> = { ...object.metadata };
  return typeof resourceVersion === 'string' ? resourceVersion : '';
}

/** Versions of one collection are decimal numbers, which grow. */
export function isNewer(a: KubernetesObject, b: KubernetesObject): boolean {
  const [left, right] = [resourceVersionOf(a), resourceVersionOf(b)];
  return left.length === right.length ? left > right : left.length > right.length;
}
