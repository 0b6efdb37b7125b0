// Generates how a cluster goes on: edits of its collections, one view after the other, and what is fed back between them.
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import type { Translation } from '#translate/translation.ts';
import { oneOf } from './arbitrary-objects.ts';
import { clusterView } from './arbitrary-view.ts';

const collections = [
  'ingressRoutes',
  'ingresses',
  'ingressClasses',
  'services',
  'endpointSlices',
  'secrets',
  'nodes',
  'issuedCertificates',
] as const;

type Collection = (typeof collections)[number];

interface Edit {
  readonly collection: Collection;
  /**
   * Put: an object comes, or takes the place of the one of its name. Copy: the same objects as fresh values. Status: another
   * status, beside the same spec. Alias: the same spec in an object of another name, as YAML can have it.
   */
  readonly kind: 'Put' | 'Remove' | 'Swap' | 'Copy' | 'CopyOne' | 'Status' | 'Alias';
  readonly at: number;
}

/** How a view follows from the one before and from what was made of it. */
export interface Step {
  readonly edits: readonly Edit[];
  /** Fed: the very value that translation gave. Copied: as read back. Lost: nothing is known. Held: as before. */
  readonly claims: 'Fed' | 'Copied' | 'Lost' | 'Held';
  readonly lastGood: 'Fed' | 'Copied' | 'Lost' | 'Held';
  readonly hours: number;
}

export interface History {
  readonly first: ClusterView;
  /** Where objects come from. */
  readonly others: ClusterView;
  readonly steps: readonly Step[];
}

const edit: fc.Arbitrary<Edit> = fc.record({
  collection: oneOf(...collections),
  kind: oneOf<Edit['kind']>('Put', 'Put', 'Put', 'Remove', 'Swap', 'Copy', 'CopyOne', 'Status', 'Alias'),
  at: fc.nat(20),
});

const feed = oneOf<Step['claims']>('Fed', 'Fed', 'Fed', 'Copied', 'Lost', 'Held');

const step: fc.Arbitrary<Step> = fc.record({
  edits: fc.array(edit, { maxLength: 3 }),
  claims: feed,
  lastGood: feed,
  hours: oneOf(0, 0, 1, 7, 24, 61),
});

export const history: fc.Arbitrary<History> = fc.record({
  first: clusterView,
  others: clusterView,
  steps: fc.array(step, { minLength: 1, maxLength: 8 }),
});

export function nextView(
  before: ClusterView,
  made: Translation,
  others: ClusterView,
  step: Step,
): ClusterView {
  const view = { ...before };
  for (const each of step.edits) view[each.collection] = edited(view[each.collection], others, each);
  const fedGood = new Map(made.model.certificates.map((certificate) => [certificate.id, certificate]));
  return {
    ...view,
    claims: fedBack(before.claims, made.claims, step.claims),
    lastGood: fedBack(before.lastGood, fedGood, step.lastGood),
    now: new Date(Date.parse(before.now) + step.hours * 3_600_000).toISOString(),
  };
}

function edited(
  objects: readonly KubernetesObject[],
  others: ClusterView,
  { collection, kind, at }: Edit,
): readonly KubernetesObject[] {
  const index = at % Math.max(1, objects.length);
  const found = objects[index];
  switch (kind) {
    case 'Put': {
      const object = others[collection][at % Math.max(1, others[collection].length)];
      return object === undefined ? objects : withObject(objects, object);
    }
    case 'Remove':
      return objects.toSpliced(index, 1);
    case 'Swap':
      return [...objects.slice(index), ...objects.slice(0, index)];
    case 'Copy':
      return structuredClone(objects);
    case 'CopyOne':
      return found === undefined ? objects : objects.with(index, structuredClone(found));
    case 'Status':
      return found === undefined ? objects : objects.with(index, { ...found, status: { at } });
    case 'Alias':
      return found === undefined
        ? objects
        : withObject(objects, { ...found, metadata: { ...found.metadata, name: `alias-${at % 2}` } });
  }
}

function withObject(
  objects: readonly KubernetesObject[],
  object: KubernetesObject,
): readonly KubernetesObject[] {
  const place = objects.findIndex((each) => isSameName(each, object));
  return place < 0 ? [...objects, object] : objects.with(place, object);
}

function isSameName({ metadata: a }: KubernetesObject, { metadata: b }: KubernetesObject): boolean {
  return a.name === b.name && a.namespace === b.namespace;
}

function fedBack<T extends object>(
  before: ReadonlyMap<string, T>,
  made: ReadonlyMap<string, T>,
  how: Step['claims'],
): ReadonlyMap<string, T> {
  switch (how) {
    case 'Fed':
      return made;
    case 'Copied':
      return new Map([...made].map(([key, value]) => [key, { ...value }]));
    case 'Lost':
      return new Map();
    case 'Held':
      return before;
  }
}
