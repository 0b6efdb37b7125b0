// The laws of translation, on generated clusters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encode } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import { compile } from '#route/route-table.ts';
import type { ClusterView, TranslateSettings } from '#translate/cluster-view.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { hasSessions } from '#model/signing-key.ts';
import { translate } from '#translate/translate.ts';
import type { Translation } from '#translate/translation.ts';
import type { Verdict } from '#translate/verdict.ts';
import { revealed } from '../model/revealed.ts';
import { brokenRoute } from './arbitrary-routes.ts';
import { clusterView, translateSettings } from './arbitrary-view.ts';
import { shuffledFilters } from './shuffled-filters.ts';
import { bytesOf, isVerdictOf, shuffledView } from './translation-laws.ts';

const runs = { numRuns: 400 };

function translated(view: ClusterView, settings: TranslateSettings = defaultTranslateSettings): Translation {
  return translate(view, settings);
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

/** The same view without one of its objects. */
function without(view: ClusterView, object: ClusterView['ingresses'][number]): ClusterView {
  return {
    ...view,
    ingressRoutes: view.ingressRoutes.filter((each) => each !== object),
    ingresses: view.ingresses.filter((each) => each !== object),
  };
}

test('the order of the collections means nothing', () => {
  fc.assert(
    fc.property(withShuffled, translateSettings, ([view, other], settings) => {
      assert.equal(bytesOf(translated(other, settings)), bytesOf(translated(view, settings)));
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

test('verdicts are one for each object, in the order of namespace, name and kind', () => {
  fc.assert(
    fc.property(clusterView, translateSettings, (view, settings) => {
      const keys = [...view.ingressRoutes, ...view.ingresses].map(({ kind, metadata }) => [
        metadata.namespace ?? '',
        metadata.name,
        kind,
      ]);
      // No name of these has a character below a space.
      const inOrder = keys.toSorted((a, b) => (a.join(' ') < b.join(' ') ? -1 : 1));
      assert.deepEqual(
        translated(view, settings).verdicts.map(({ object }) => [object.namespace, object.name, object.kind]),
        inOrder,
      );
    }),
    runs,
  );
});

test('an object that is not served is told why', () => {
  fc.assert(
    fc.property(clusterView, translateSettings, (view, settings) => {
      for (const verdict of translated(view, settings).verdicts)
        if (verdict.kind === 'Rejected') assert.notDeepEqual(verdict.problems, []);
    }),
    runs,
  );
});

test('an object that is not served may go without a trace', () => {
  fc.assert(
    fc.property(clusterView, translateSettings, (view, settings) => {
      const before = translated(view, settings);
      for (const object of [...view.ingressRoutes, ...view.ingresses]) {
        if (before.verdicts.find(isVerdictOf(object))?.kind === 'Accepted') continue;
        assert.equal(bytesOf(translated(without(view, object), settings)), bytesOf(before, object));
      }
    }),
    runs,
  );
});

test('a broken object may come without a trace', () => {
  fc.assert(
    fc.property(
      clusterView,
      translateSettings,
      brokenRoute,
      fc.boolean(),
      fc.nat(),
      (view, settings, route, isIngress, position) => {
        const broken = isIngress
          ? { ...route, apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', spec: { rules: 5 } }
          : route;
        const collection = isIngress ? 'ingresses' : 'ingressRoutes';
        const at = position % (view[collection].length + 1);
        const more = translated(
          { ...view, [collection]: view[collection].toSpliced(at, 0, broken) },
          settings,
        );
        assert.notEqual(more.verdicts.find(isVerdictOf(broken))?.kind, 'Accepted');
        assert.equal(bytesOf(more, broken), bytesOf(translated(view, settings)));
      },
    ),
    runs,
  );
});

test('what is translated travels: decode(encode(model)) equals the model, and compiles', () => {
  fc.assert(
    fc.property(clusterView, translateSettings, (view, settings) => {
      const { model } = translated(view, settings);
      const decoded = decode(encode(model));
      assert.equal(decoded.kind, 'Decoded');
      assert.deepEqual(revealed(decoded.model), revealed(model));
      compile(model.hosts);
    }),
    runs,
  );
});

test('everything that the model names is in it, and nothing else', () => {
  fc.assert(
    fc.property(clusterView, translateSettings, (view, settings) => {
      const { model } = translated(view, settings);
      const { fallback, defaultCertificate } = model.settings;
      const rules = [
        ...model.hosts.flatMap((host) => host.rules),
        ...(fallback.kind === 'Rule' ? [fallback.rule] : []),
      ];
      const named = rules.flatMap(({ backends }) =>
        backends.flatMap((backend) => (backend.kind === 'Unresolved' ? [] : [backend.upstream])),
      );
      assert.deepEqual(new Set(model.upstreams.map(({ id }) => id)), new Set(named));
      assert.deepEqual(
        new Set(model.certificates.map(({ id }) => id)),
        new Set([
          ...model.hosts.flatMap(({ certificates }) => certificates),
          ...(defaultCertificate.kind === 'None' ? [] : [defaultCertificate.certificate]),
        ]),
      );
      assert.equal(model.keys.length, Number(rules.some(hasSessions)));
      const isHinted = model.upstreams.some(({ zoneHints }) => zoneHints.length > 0);
      if (!isHinted) assert.deepEqual(model.zones, []);
    }),
    runs,
  );
});

test('the ledger and the last good pairs are at rest: feeding them back changes nothing', () => {
  fc.assert(
    fc.property(clusterView, translateSettings, (view, settings) => {
      const before = translated(view, settings);
      const lastGood = new Map(before.model.certificates.map((each) => [each.id, each]));
      const fedBack = { ...view, claims: before.claims, lastGood };
      assert.equal(bytesOf(translated(fedBack, settings)), bytesOf(before));
      // Later, certificates have come of age: verdicts speak of it, and another pair may be the better one.
      const later = translated({ ...fedBack, now: '2025-01-01T00:00:00Z' }, settings);
      const idsOf = ({ model }: Translation): unknown => ({
        ...model,
        certificates: model.certificates.map(({ id }) => id),
      });
      assert.deepEqual(idsOf(later), idsOf(before));
      assert.deepEqual(later.claims, before.claims);
      assert.deepEqual(later.certificateRequests, before.certificateRequests);
    }),
    runs,
  );
});

test('every host that is served has a claim of its namespace, but for solvers; nothing else has one', () => {
  fc.assert(
    fc.property(clusterView, translateSettings, (view, settings) => {
      const { verdicts, claims } = translated(view, settings);
      const solvers = new Set(view.ingresses.filter(({ metadata }) => metadata.labels !== undefined));
      const hostsOf = (of: readonly Verdict[]): readonly string[] =>
        of.flatMap((verdict) =>
          verdict.kind === 'Accepted'
            ? verdict.hosts.map((host) => `${host} of ${verdict.object.namespace}`)
            : [],
        );
      const claimed = new Set([...claims].map(([host, { namespace }]) => `${host} of ${namespace}`));
      const served = new Set(hostsOf(verdicts));
      for (const each of claimed) assert.ok(served.has(each), `${each} is claimed, not served`);
      const claimants = verdicts.filter(
        (verdict) => ![...solvers].some((each) => isVerdictOf(each)(verdict)),
      );
      for (const each of hostsOf(claimants)) assert.ok(claimed.has(each), `${each} is served, not claimed`);
    }),
    runs,
  );
});
