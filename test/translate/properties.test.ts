// The laws of translation, on generated clusters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decode, encode } from '#model/bundle.ts';
import { compile } from '#route/route-table.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';
import type { Translation } from '#translate/translate.ts';
import { brokenRoute, clusterView } from './arbitrary-view.ts';
import { shuffledFilters } from './shuffled-filters.ts';
import { bytesOf, isVerdictOf, shuffledView } from './translation-laws.ts';

const runs = { numRuns: 400 };

function translated(view: ClusterView): Translation {
  return translate(view, defaultTranslateSettings);
}

function withShuffledFilters(view: ClusterView): fc.Arbitrary<[ClusterView, ClusterView]> {
  return fc.tuple(
    fc.constant(view),
    fc.nat().map((seed) => ({
      ...view,
      ingressRoutes: view.ingressRoutes.map((route) => shuffledFilters(route, seed)),
    })),
  );
}

const withShuffled = clusterView.chain((view) => fc.tuple(fc.constant(view), shuffledView(view)));

test('the order of the collections means nothing', () => {
  fc.assert(
    fc.property(withShuffled, ([view, other]) => {
      assert.equal(bytesOf(translated(other)), bytesOf(translated(view)));
    }),
    runs,
  );
});

test('the order of filters, and of the lists in them and in policies, means nothing', () => {
  fc.assert(
    fc.property(clusterView.chain(withShuffledFilters), ([view, other]) => {
      // Places of problems are those of the lists.
      assert.deepEqual(translated(other).model, translated(view).model);
    }),
    runs,
  );
});

test('verdicts are one for each object, in the order of namespace and name', () => {
  fc.assert(
    fc.property(clusterView, (view) => {
      const keys = view.ingressRoutes.map((route) => [route.metadata.namespace ?? '', route.metadata.name]);
      keys.sort(([a = '', b = ''], [c = '', d = '']) => (a === c ? (b < d ? -1 : 1) : a < c ? -1 : 1));
      const { verdicts } = translated(view);
      assert.deepEqual(
        verdicts.map(({ object }) => [object.namespace, object.name]),
        keys,
      );
    }),
    runs,
  );
});

test('an object that is not served may go without a trace', () => {
  fc.assert(
    fc.property(clusterView, (view) => {
      const before = translated(view);
      for (const route of view.ingressRoutes) {
        if (before.verdicts.find(isVerdictOf(route))?.kind === 'Accepted') continue;
        const rest = view.ingressRoutes.filter((each) => each !== route);
        assert.equal(bytesOf(translated({ ...view, ingressRoutes: rest })), bytesOf(before, route));
      }
    }),
    runs,
  );
});

test('a broken object may come without a trace', () => {
  fc.assert(
    fc.property(clusterView, brokenRoute, fc.nat(), (view, broken, position) => {
      const at = position % (view.ingressRoutes.length + 1);
      const more = translated({ ...view, ingressRoutes: view.ingressRoutes.toSpliced(at, 0, broken) });
      const verdict = more.verdicts.find(isVerdictOf(broken));
      assert.notEqual(verdict?.kind, 'Accepted');
      assert.equal(bytesOf(more, broken), bytesOf(translated(view)));
    }),
    runs,
  );
});

test('what is translated travels: decode(encode(model)) equals the model, and compiles', () => {
  fc.assert(
    fc.property(clusterView, (view) => {
      const { model } = translated(view);
      assert.deepEqual(decode(encode(model)), { kind: 'Decoded', model });
      compile(model.hosts);
    }),
    runs,
  );
});

test('the ledger is at rest: feeding claims back changes nothing, at whatever time', () => {
  fc.assert(
    fc.property(clusterView, (view) => {
      const before = translated(view);
      const later = { ...view, claims: before.claims, now: '2025-01-01T00:00:00Z' };
      assert.equal(bytesOf(translated(later)), bytesOf(before));
    }),
    runs,
  );
});

test('every served host has a claim of its namespace, and nothing else has one', () => {
  fc.assert(
    fc.property(clusterView, (view) => {
      const { verdicts, claims } = translated(view);
      const served = verdicts.flatMap((verdict) =>
        verdict.kind === 'Accepted'
          ? verdict.hosts.map((host) => `${host} of ${verdict.object.namespace}`)
          : [],
      );
      const claimed = [...claims].map(([host, { namespace }]) => `${host} of ${namespace}`);
      assert.deepEqual(new Set(claimed), new Set(served));
    }),
    runs,
  );
});
