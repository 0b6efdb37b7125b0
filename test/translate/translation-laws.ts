// What the property tests of translation share: its output as bytes, and a view in another order.
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import type { Translation } from '#translate/translate.ts';

export function isVerdictOf(object: KubernetesObject): (verdict: Translation['verdicts'][number]) => boolean {
  return ({ object: { namespace, name } }) =>
    namespace === object.metadata.namespace && name === object.metadata.name;
}

/** Everything that translation says, as bytes; without the verdict on `except`. */
export function bytesOf({ model, verdicts, claims }: Translation, except?: KubernetesObject): string {
  const others = except === undefined ? verdicts : verdicts.filter((each) => !isVerdictOf(except)(each));
  return canonicalJson({ model, verdicts: others, claims: Object.fromEntries(claims) });
}

function shuffled<T>(values: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...values], { minLength: values.length, maxLength: values.length });
}

/** The same view with every collection, the ledger included, in another order. */
export function shuffledView(view: ClusterView): fc.Arbitrary<ClusterView> {
  return fc.record({
    ingressRoutes: shuffled(view.ingressRoutes),
    ingressClasses: shuffled(view.ingressClasses),
    services: shuffled(view.services),
    endpointSlices: shuffled(view.endpointSlices),
    claims: shuffled([...view.claims]).map((entries) => new Map(entries)),
    now: fc.constant(view.now),
  });
}
