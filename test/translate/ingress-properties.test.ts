// The laws of translation where Ingresses and IngressRoutes meet, on generated clusters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { encode } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { hostKey } from '#model/route-model.ts';
import { compile } from '#route/route-table.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';
import type { Translation } from '#translate/translation.ts';
import { clusterView as mixedView } from './arbitrary-view.ts';
import { countPlaces, replaceAt } from './json-places.ts';
import { bytesOf, shuffledView } from './translation-laws.ts';
import { revealed } from '../model/revealed.ts';

const runs = { numRuns: 400 };

function translated(view: ClusterView): Translation {
  return translate(view, defaultTranslateSettings);
}

function verdictOf({ verdicts }: Translation, { kind, metadata }: KubernetesObject) {
  return verdicts.find(
    ({ object }) =>
      object.kind === kind && object.namespace === metadata.namespace && object.name === metadata.name,
  );
}

test('the order of the collections means nothing', () => {
  const pairs = mixedView.chain((view) => fc.tuple(fc.constant(view), shuffledView(view)));
  fc.assert(
    fc.property(pairs, ([view, other]) => {
      assert.equal(bytesOf(translated(other)), bytesOf(translated(view)));
    }),
    runs,
  );
});

test('every object has one verdict, and the ledger is at rest', () => {
  let accepted = 0;
  fc.assert(
    fc.property(mixedView, (view) => {
      const before = translated(view);
      const objects = [...view.ingressRoutes, ...view.ingresses];
      assert.equal(before.verdicts.length, objects.length);
      for (const object of objects) assert.ok(verdictOf(before, object) !== undefined);
      accepted += view.ingresses.filter((each) => verdictOf(before, each)?.kind === 'Accepted').length;
      const later = { ...view, claims: before.claims, now: '2024-06-01T01:00:00Z' };
      assert.equal(bytesOf(translated(later)), bytesOf(before));
    }),
    runs,
  );
  assert.ok(accepted > runs.numRuns / 4, `only ${accepted} Ingresses were accepted`);
});

test('an Ingress that is not served may go without a trace', () => {
  fc.assert(
    fc.property(mixedView, (view) => {
      const before = translated(view);
      for (const ingress of view.ingresses) {
        if (verdictOf(before, ingress)?.kind === 'Accepted') continue;
        const after = translated({ ...view, ingresses: view.ingresses.filter((each) => each !== ingress) });
        assert.deepEqual(after.model, before.model);
        assert.deepEqual(after.claims, before.claims);
        for (const { object, ...verdict } of after.verdicts)
          assert.deepEqual(
            { object, ...verdict },
            before.verdicts.find((each) => canonicalJson(each.object) === canonicalJson(object)),
          );
      }
    }),
    runs,
  );
});

test('what is served on a host is of the namespace that claims it; nobody claims it only for solvers', () => {
  fc.assert(
    fc.property(mixedView, (view) => {
      const { model, claims } = translated(view);
      for (const { pattern, rules } of model.hosts) {
        const owner = claims.get(hostKey(pattern).replace(/^\+/, '*'))?.namespace;
        for (const { ref, matches } of rules) {
          if (owner !== undefined) assert.equal(ref.namespace, owner);
          else
            assert.deepEqual(
              [ref.kind, matches.map(({ path }) => `${path.kind} ${path.value}`)],
              ['Ingress', ['Exact /.well-known/acme-challenge/t']],
            );
        }
      }
    }),
    runs,
  );
});

test('no JSON in an Ingress makes translation throw or its model unreadable', () => {
  const defaced = fc
    .tuple(mixedView, fc.nat(), fc.nat(), fc.jsonValue())
    .map(([view, which, place, json]) => {
      const [ingress] = view.ingresses.slice(which % Math.max(1, view.ingresses.length));
      if (ingress === undefined) return view;
      const { apiVersion, kind, metadata, ...body } = ingress;
      const replaced = replaceAt(body, 1 + (place % Math.max(1, countPlaces(body) - 1)), json) as object;
      return {
        ...view,
        ingresses: view.ingresses.map((each) =>
          each === ingress ? { ...replaced, apiVersion, kind, metadata } : each,
        ),
      };
    });
  fc.assert(
    fc.property(defaced, (view) => {
      const { model } = translated(view);
      const decoded = decode(encode(model));
      assert.ok(decoded.kind === 'Decoded');
      assert.equal(canonicalJson(revealed(decoded.model)), canonicalJson(revealed(model)));
      compile(model.hosts);
    }),
    { numRuns: 1000 },
  );
});
