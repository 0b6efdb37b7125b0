// The parts of Kubernetes metadata that Flint reads, and the words for naming an object.
import type { Problem } from './problem.ts';

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Any object as the API server or a manifest gives it: only its identity is known yet. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** An object's place in the cluster; what two manifests of one object share. */
export interface ObjectRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export function refOf(object: KubernetesObject): ObjectRef {
  const { namespace, name } = readMeta(object);
  return { kind: object.kind, namespace, name };
}

export interface ReadMeta {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  /** RFC 3339; empty for an object that never met an API server. */
  readonly creationTimestamp: string;
  /** Empty for an object that never met an API server. */
  readonly uid: string;
  /** Somebody has asked for its deletion. */
  readonly isTerminating: boolean;
}

/** Total, whatever stands in the metadata: what is not of its type reads as absent. */
export function readMeta(object: KubernetesObject): ReadMeta {
  const metadata: unknown = object.metadata;
  const field = (name: string): unknown =>
    typeof metadata === 'object' && metadata !== null
      ? (metadata as Record<string, unknown>)[name]
      : undefined;
  const text = (name: string): string => {
    const value = field(name);
    return typeof value === 'string' ? value : '';
  };
  const generation = field('generation');
  return {
    namespace: text('namespace'),
    name: text('name'),
    generation: typeof generation === 'number' ? generation : 0,
    creationTimestamp: text('creationTimestamp'),
    uid: text('uid'),
    isTerminating: text('deletionTimestamp') !== '',
  };
}

/** The value of a label or annotation; empty when there is none. */
export function metaText(object: KubernetesObject, part: 'labels' | 'annotations', key: string): string {
  const metadata: unknown = object.metadata;
  const texts: unknown =
    typeof metadata === 'object' && metadata !== null
      ? (metadata as Record<string, unknown>)[part]
      : undefined;
  if (typeof texts !== 'object' || texts === null || !Object.hasOwn(texts, key)) return '';
  const value = (texts as Record<string, unknown>)[key];
  return typeof value === 'string' ? value : '';
}

/** `IngressRoute shop/web`: how messages name an object. */
export function refText(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace === '' ? '' : `${ref.namespace}/`}${ref.name}`;
}

/** What the API server would not store in any object's metadata; nulls count as absent. */
export function metadataProblems(object: KubernetesObject): readonly Problem[] {
  const { name, namespace, labels, annotations }: Readonly<Record<string, unknown>> = { ...object.metadata };
  const problem = (at: string, message: string): Problem => ({
    reason: 'Invalid',
    at: `metadata.${at}`,
    message,
  });
  const problems: Problem[] = [];
  if (typeof name !== 'string' || name.length > 253 || !objectName.test(name))
    problems.push(problem('name', `${JSON.stringify(name)} is no name of an object`));
  if (typeof (namespace ?? '') !== 'string') problems.push(problem('namespace', 'must be a string'));
  if (!isTexts(labels ?? {})) problems.push(problem('labels', 'must be strings by name'));
  if (!isTexts(annotations ?? {})) problems.push(problem('annotations', 'must be strings by name'));
  return problems;
}

/** A DNS subdomain. */
const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function isTexts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((each) => typeof each === 'string');
}

/** The same object without its null fields: the API server drops them before it looks at anything else. */
export function withoutNulls(object: KubernetesObject): KubernetesObject {
  return prune(object) as KubernetesObject;
}

function prune(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(prune);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, field]) => (field === null ? [] : [[name, prune(field)]])),
  );
}
