// What the property tests of translation share: its output as bytes, and a view in another order.
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { canonicalJson, digestOf } from '#model/canonical-json.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import type { Translation } from '#translate/translation.ts';

export function isVerdictOf({
  kind,
  metadata,
}: KubernetesObject): (verdict: Translation['verdicts'][number]) => boolean {
  return ({ object }) =>
    object.kind === kind && object.namespace === metadata.namespace && object.name === metadata.name;
}

/** Everything that translation says, as bytes; of chains and keys their digests. Without the verdict on `except`. */
export function bytesOf(
  { model, verdicts, claims, ...rest }: Translation,
  except?: KubernetesObject,
): string {
  const others = except === undefined ? verdicts : verdicts.filter((each) => !isVerdictOf(except)(each));
  const certificates = model.certificates.map(({ chain, key, ...facts }) => ({
    ...facts,
    chain: digestOf(chain),
    key: digestOf(key.reveal()),
  }));
  const keys = model.keys.map(({ id, key }) => ({ id, key: digestOf(key.reveal()) }));
  return canonicalJson(
    plain({
      ...rest,
      model: { ...model, certificates, keys },
      verdicts: others,
      claims: Object.fromEntries(claims),
    }),
  );
}

/** Without fields that are undefined, which canonical JSON does not know. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, field]) => (field === undefined ? [] : [[key, plain(field)]])),
  );
}

export function shuffled<T>(values: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...values], { minLength: values.length, maxLength: values.length });
}

function shuffledMap<K, V>(map: ReadonlyMap<K, V>): fc.Arbitrary<ReadonlyMap<K, V>> {
  return shuffled([...map]).map((entries) => new Map(entries));
}

/** The same view with every collection, the ledger included, in another order. */
export function shuffledView(view: ClusterView): fc.Arbitrary<ClusterView> {
  return fc.record({
    ingressRoutes: shuffled(view.ingressRoutes),
    ingresses: shuffled(view.ingresses),
    ingressClasses: shuffled(view.ingressClasses),
    services: shuffled(view.services),
    endpointSlices: shuffled(view.endpointSlices),
    secrets: shuffled(view.secrets),
    nodes: shuffled(view.nodes),
    issuedCertificates: shuffled(view.issuedCertificates),
    claims: shuffledMap(view.claims),
    lastGood: shuffledMap(view.lastGood),
    sessionKey: fc.constant(view.sessionKey),
    now: fc.constant(view.now),
  });
}
