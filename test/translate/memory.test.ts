// The law of memory: what a Translator has seen before changes nothing of what it gives, and spares what stayed the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { hostKey } from '#model/route-model.ts';
import { compareText } from '#model/text-order.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import { defaultTranslateSettings } from '#translate/defaults.ts';
import { translate } from '#translate/translate.ts';
import { Translator } from '#translate/translator.ts';
import type { Translation } from '#translate/translation.ts';
import { history, nextView } from './arbitrary-history.ts';
import { clusterView, translateSettings } from './arbitrary-view.ts';
import { route, service, slice, viewOf } from './shop-objects.ts';
import { bytesOf } from './translation-laws.ts';

/** Lists of a Translator stand in any order. */
function sorted({ model, verdicts, certificateRequests, ...rest }: Translation): Translation {
  const byText = <T>(list: readonly T[], textOf: (each: T) => string): readonly T[] =>
    list.toSorted((a, b) => compareText(textOf(a), textOf(b)));
  // No name has a character below a space.
  const refText = ({ object }: { readonly object: Translation['verdicts'][number]['object'] }): string =>
    `${object.namespace} ${object.name} ${object.kind}`;
  return {
    ...rest,
    model: {
      ...model,
      zones: byText(model.zones, ({ node }) => node),
      hosts: byText(model.hosts, ({ pattern }) => hostKey(pattern)),
      upstreams: byText(model.upstreams, ({ id }) => id),
      certificates: byText(model.certificates, ({ id }) => id),
    },
    verdicts: byText(verdicts, refText),
    certificateRequests: byText(certificateRequests, refText),
  };
}

test('a Translator that has seen other views gives what a fresh one gives', () => {
  fc.assert(
    fc.property(history, translateSettings, ({ first, others, steps }, settings) => {
      const translator = new Translator(settings);
      let view = first;
      let made = translator.translate(view);
      assert.equal(bytesOf(sorted(made)), bytesOf(translate(view, settings)));
      for (const step of steps) {
        view = nextView(view, made, others, step);
        made = translator.translate(view);
        assert.equal(bytesOf(sorted(made)), bytesOf(translate(view, settings)));
      }
    }),
    { numRuns: 250 },
  );
});

test('what stayed the same is the same value: encoding and statuses go by it', () => {
  fc.assert(
    fc.property(clusterView, translateSettings, (view, settings) => {
      const translator = new Translator(settings);
      const feed = ({ claims, model }: Translation): ClusterView => ({
        ...view,
        claims,
        lastGood: new Map(model.certificates.map((each) => [each.id, each])),
      });
      // The ledger and the last good pairs come to rest after one round.
      const before = translator.translate(feed(translator.translate(view)));
      const after = translator.translate({ ...feed(before), now: '2024-06-01T00:00:01Z' });
      assertSameValues(after.model.hosts, before.model.hosts);
      assertSameValues(after.model.upstreams, before.model.upstreams);
      assertSameValues(after.model.certificates, before.model.certificates);
      assertSameValues(after.verdicts, before.verdicts);
      assert.equal(after.model.settings, before.model.settings);
      for (const [host, claim] of after.claims) assert.equal(claim, before.claims.get(host));
    }),
    { numRuns: 150 },
  );
});

function assertSameValues(after: readonly object[], before: readonly object[]): void {
  assert.equal(after.length, before.length);
  for (const each of after) assert.ok(before.includes(each), JSON.stringify(each));
}

test('terms that nobody said for a while are met again with the endpoints of now', () => {
  const onTerms = (name: string, policy: object): KubernetesObject => ({
    ...route(name, ['x.test'], []),
    spec: { hostnames: ['x.test'], rules: [{ policy, backendRefs: [{ name: 'web', port: 80 }] }] },
  });
  // The younger one has the same match, so that no rule of it is served.
  const [older, younger] = [onTerms('a', {}), onTerms('bb', { circuitBreaker: { maxConnections: 1 } })];
  const [before, after] = [['fd00::1'], ['fd00::2']].map((addresses) => slice(1, addresses));
  const translator = new Translator(defaultTranslateSettings);
  translator.translate(viewOf([older, younger, service, before!]));
  translator.translate(viewOf([older, service, before!]));
  translator.translate(viewOf([older, service, after!]));
  const last = viewOf([younger, service, after!]);
  const { model } = translator.translate(last);
  assert.deepEqual(
    model.upstreams.map(({ endpoints }) => endpoints.map(({ address }) => address)),
    [['fd00::2']],
  );
});
