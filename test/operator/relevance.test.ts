// Which events of a cluster ask for work: most change nothing that anybody is served.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change } from '#kube/reflect.ts';
import type { KubeObject } from '#kube/source.ts';
import { isStatusChange, isUnchanged, isZoneChange } from '#operator/relevance.ts';

type Fields = Readonly<Record<string, unknown>>;

function object(metadata: Fields = {}, rest: Fields = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Ingress',
    metadata: { name: 'web', uid: 'u1', resourceVersion: '7', generation: 2, ...metadata },
    spec: { host: 'a.test' },
    ...rest,
  };
}

function applied(after: KubeObject, before: KubeObject | undefined = object()): Change<KubeObject> {
  return { kind: 'Applied', before, after };
}

const status = { status: { loadBalancer: {} } };

test('a status that was written is a change of the status alone', () => {
  assert.ok(isStatusChange(applied(object({ resourceVersion: '8' }, status))));
  assert.ok(
    isStatusChange(applied(object({ annotations: { a: '1' } }, status), object({ annotations: { a: '1' } }))),
  );
  const asks: Readonly<Record<string, Fields>> = {
    'another spec': { generation: 3 },
    'another object of that name': { uid: 'u2' },
    'its end': { deletionTimestamp: '2026-01-01T00:00:00Z' },
    'an annotation': { annotations: { 'kubernetes.io/ingress.class': 'flint' } },
    'a label': { labels: { 'acme.cert-manager.io/http01-solver': 'true' } },
  };
  for (const [what, metadata] of Object.entries(asks))
    assert.equal(isStatusChange(applied(object(metadata, status))), false, what);
  assert.equal(isStatusChange({ kind: 'Applied', before: undefined, after: object() }), false);
  assert.equal(isStatusChange({ kind: 'Deleted', before: object() }), false);
  assert.equal(isStatusChange({ kind: 'Listed' }), false);
});

test('an object is unchanged when nothing but its resourceVersion differs', () => {
  assert.ok(isUnchanged(applied(object({ resourceVersion: '8' }))));
  assert.ok(isUnchanged(applied(object())));
  for (const after of [object({ labels: {} }), object({}, { spec: { host: 'b.test' } }), object({}, status)])
    assert.equal(isUnchanged(applied(after)), false);
  assert.equal(isUnchanged({ kind: 'Applied', before: undefined, after: object() }), false);
  assert.equal(isUnchanged({ kind: 'Deleted', before: object() }), false);
  assert.equal(isUnchanged({ kind: 'Listed' }), false);
});

test('of a node its labels count, since its zone is one of them', () => {
  const zone = { labels: { 'topology.kubernetes.io/zone': 'north' } };
  assert.equal(isZoneChange(applied(object(zone, status), object(zone))), false);
  assert.equal(isZoneChange(applied(object({}, status))), false);
  assert.ok(isZoneChange(applied(object(zone))));
  assert.ok(isZoneChange({ kind: 'Applied', before: undefined, after: object() }));
  assert.ok(isZoneChange({ kind: 'Deleted', before: object() }));
  assert.ok(isZoneChange({ kind: 'Listed' }));
});
