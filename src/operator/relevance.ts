// What of a change asks for what: most events of a cluster change nothing that anybody is served.
import { packedEndpoints } from '#api/endpoint-slice.ts';
import type { Change } from '#kube/reflect.ts';
import type { KubeObject } from '#kube/source.ts';

type Applied = Extract<Change<KubeObject>, { readonly kind: 'Applied' }>;

/** The spec is the same: only who reads statuses needs to know. */
export function isStatusChange(change: Change<KubeObject>): change is Applied {
  if (change.kind !== 'Applied' || change.before === undefined) return false;
  const [before, after] = [change.before.metadata, change.after.metadata];
  return (
    before.uid === after.uid &&
    before['generation'] === after['generation'] &&
    before['deletionTimestamp'] === after['deletionTimestamp'] &&
    // The class of an Ingress may stand in an annotation.
    isSameJson(before['annotations'], after['annotations']) &&
    isSameJson(before['labels'], after['labels'])
  );
}

/** Of a node only its zone is part of a model. */
export function isZoneChange(change: Change<KubeObject>): boolean {
  if (change.kind !== 'Applied' || change.before === undefined) return true;
  return !isSameJson(change.before.metadata['labels'], change.after.metadata['labels']);
}

/** What routing reads of the object is the same. */
export function isUnchanged(change: Change<KubeObject>): boolean {
  if (change.kind !== 'Applied' || change.before === undefined) return false;
  const { before, after } = change;
  return (
    packedEndpoints(before) === packedEndpoints(after) && isSameJson(contentOf(before), contentOf(after))
  );
}

function contentOf(object: KubeObject): unknown {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function isSameJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
