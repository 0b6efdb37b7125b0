// Any JSON in the place of any field: translation does not throw, and what it makes of it can be read and served.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { encode } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { compile } from '#route/route-table.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import { translate } from '#translate/translate.ts';
import { revealed } from '../model/revealed.ts';
import { bytesOf, shuffledView } from './translation-laws.ts';
import { clusterView, translateSettings } from './arbitrary-view.ts';
import { countPlaces, replaceAt } from './json-places.ts';

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

/** What JavaScript trips over, besides any JSON. */
const hostileJson = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    { toString: 1, valueOf: 1 },
    { length: 3 },
    JSON.parse('{"__proto__": {"kind": "Exact"}, "constructor": 1}'),
    ['__proto__'],
    1e308,
    -0,
    'constructor',
    '\ud800',
  ),
);

type Deface = (object: KubernetesObject, number: number, json: unknown) => KubernetesObject;

function inside(value: object, number: number, json: unknown): unknown {
  return replaceAt(value, 1 + (number % Math.max(1, countPlaces(value) - 1)), json);
}

/** Everything but the identity and the metadata. */
function defaceBody(
  { apiVersion, kind, metadata, ...body }: KubernetesObject,
  number: number,
  json: unknown,
) {
  return { ...(inside(body, number, json) as object), apiVersion, kind, metadata };
}

/** The metadata but for name and namespace, which the API server and the reader of files guarantee. */
function defaceMetadata(object: KubernetesObject, number: number, json: unknown): KubernetesObject {
  const { name, namespace, ...rest } = object.metadata;
  const more = { creationTimestamp: '', generation: 1, labels: {}, annotations: {}, ...rest };
  const defaced = inside(more, number, json) as object;
  return { ...object, metadata: { ...defaced, name, ...(namespace === undefined ? {} : { namespace }) } };
}

function defacedViews(deface: Deface): fc.Arbitrary<ClusterView> {
  const defects = fc.array(fc.tuple(fc.constantFrom(...collections), fc.nat(), fc.nat(), hostileJson), {
    minLength: 1,
  });
  return fc.tuple(clusterView, defects).map(([view, list]) => {
    const result = { ...view };
    for (const [collection, position, number, json] of list) {
      const objects = result[collection];
      const index = position % Math.max(1, objects.length);
      const object = objects[index];
      if (object !== undefined) result[collection] = objects.with(index, deface(object, number, json));
    }
    return result;
  });
}

for (const [what, deface] of [
  ['a body', defaceBody],
  ['metadata', defaceMetadata],
] as const)
  test(`no JSON in ${what} makes translation throw, its model unreadable, or order matter`, () => {
    const views = defacedViews(deface).chain((view) => fc.tuple(fc.constant(view), shuffledView(view)));
    fc.assert(
      fc.property(views, translateSettings, ([view, other], settings) => {
        const translation = translate(view, settings);
        const { model } = translation;
        const decoded = decode(encode(model));
        assert.equal(decoded.kind, 'Decoded');
        // By their bytes: JSON has a -0 that canonical JSON has not.
        assert.equal(canonicalJson(revealed(decoded.model)), canonicalJson(revealed(model)));
        compile(model.hosts);
        assert.equal(bytesOf(translate(other, settings)), bytesOf(translation));
      }),
      { numRuns: 1000 },
    );
  });
