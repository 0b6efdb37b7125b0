// Keeps cert-manager's Certificates for the routes that name an issuer: one for each Secret, for the hosts that its
// namespace owns, owned by its routes, so that it goes with the last of them.
import { metaText, readMeta } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { ClusterObjects } from '#cluster/objects.ts';
import type { IssuerRef } from '#api/route-tls.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { compareText } from '#model/text-order.ts';
import type { CertificateRequest } from '#translate/translation.ts';
import { WriteLane } from './write-lane.ts';

export interface CertificateKeeperOptions {
  readonly objects: ClusterObjects;
  readonly isLeading: () => boolean;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

interface WantedCertificate {
  readonly namespace: string;
  readonly secretName: string;
  readonly issuer: IssuerRef;
  readonly dnsNames: readonly string[];
  readonly owners: readonly { readonly name: string; readonly uid: string }[];
}

const managedBy = 'app.kubernetes.io/managed-by';
const manager = 'flint-operator';
/** From one write of a Certificate to the next; doubles while it is refused. */
const retryMs = 5000;
const longestRetryMs = 300_000;
const parallelWrites = 8;
/** Issuing takes longer than this, and thousands of routes may name an issuer. */
const lookEveryMs = 1000;

interface Attempt {
  readonly failures: number;
  readonly notBeforeMs: number;
}

export class CertificateKeeper {
  readonly #options: CertificateKeeperOptions;
  readonly #lane: WriteLane;
  /** `namespace/secret` -> the last one. */
  readonly #attempts = new Map<string, Attempt>();
  readonly #writing = new Set<string>();
  /** What is still to be written of what was found missing last. */
  #missing: Iterator<[id: string, wanted: WantedCertificate]> = new Map().entries();
  #lookedMs = -Infinity;
  /** With these there was nothing to do. */
  #settledWith: readonly [requests: unknown, existing: unknown] = [undefined, undefined];

  constructor(options: CertificateKeeperOptions) {
    this.#options = options;
    this.#lane = new WriteLane({ ...options, parallel: parallelWrites, expected: [] });
  }

  get writes(): number {
    return this.#lane.writes;
  }

  /** `existing`: all Certificates of cert-manager; one that somebody else has made is left alone. */
  keep(
    requests: readonly CertificateRequest[],
    existing: readonly KubernetesObject[],
    uidOf: (namespace: string, name: string) => string | undefined,
  ): void {
    const nowMs = performance.now();
    const [settledRequests, settledExisting] = this.#settledWith;
    const isSettled = requests === settledRequests && existing === settledExisting;
    if (isSettled || nowMs - this.#lookedMs < lookEveryMs) return;
    this.#lookedMs = nowMs;
    const present = new Map(existing.map((object) => [idOf(object), object]));
    const missing = new Map<string, WantedCertificate>();
    for (const [id, wanted] of wantedCertificates(requests, uidOf)) {
      const object = present.get(id);
      if (object !== undefined && metaText(object, 'labels', managedBy) !== manager) continue;
      if (object === undefined || !isAsWanted(object, wanted)) missing.set(id, wanted);
    }
    for (const [id, { notBeforeMs }] of this.#attempts)
      if (!missing.has(id) && nowMs >= notBeforeMs) this.#attempts.delete(id);
    if (missing.size === 0) this.#settledWith = [requests, existing];
    this.#missing = missing.entries();
    this.#goOn();
  }

  #goOn(): void {
    const nowMs = performance.now();
    while (this.#lane.isOpen) {
      const { value, done } = this.#missing.next();
      if (done === true) return;
      const [id, wanted] = value;
      if (!this.#writing.has(id) && nowMs >= (this.#attempts.get(id)?.notBeforeMs ?? 0))
        void this.#apply(id, wanted);
    }
  }

  async #apply(id: string, wanted: WantedCertificate): Promise<void> {
    const { objects, signal } = this.#options;
    const { namespace, secretName } = wanted;
    this.#writing.add(id);
    const isWritten = await this.#lane.run(() =>
      objects.apply(
        { groupVersion: '/apis/cert-manager.io/v1', kind: 'Certificate', plural: 'certificates', namespace },
        secretName,
        {
          metadata: { name: secretName, labels: { [managedBy]: manager }, ownerReferences: ownersOf(wanted) },
          spec: specOf(wanted),
        },
        signal,
      ),
    );
    this.#writing.delete(id);
    // Written or not: what the watch shows by then decides.
    const failures = isWritten ? 0 : (this.#attempts.get(id)?.failures ?? 0) + 1;
    const pauseMs = Math.min(retryMs * 2 ** Math.max(0, failures - 1), longestRetryMs);
    this.#attempts.set(id, { failures, notBeforeMs: performance.now() + pauseMs });
    this.#goOn();
  }
}

/** Several routes of one namespace may share a Secret: its Certificate names the hosts of all of them. */
function wantedCertificates(
  requests: readonly CertificateRequest[],
  uidOf: (namespace: string, name: string) => string | undefined,
): ReadonlyMap<string, WantedCertificate> {
  const wanted = new Map<string, WantedCertificate>();
  const sorted = requests.toSorted((a, b) => compareText(a.object.name, b.object.name));
  for (const { object, secretName, issuer, dnsNames } of sorted) {
    const uid = uidOf(object.namespace, object.name);
    if (uid === undefined) continue;
    const id = `${object.namespace}/${secretName}`;
    const known = wanted.get(id);
    wanted.set(id, {
      namespace: object.namespace,
      secretName,
      issuer: known?.issuer ?? issuer,
      dnsNames: [...new Set([...(known?.dnsNames ?? []), ...dnsNames])].sort(compareText),
      owners: [...(known?.owners ?? []), { name: object.name, uid }],
    });
  }
  return wanted;
}

function specOf({ secretName, dnsNames, issuer }: WantedCertificate): Readonly<Record<string, unknown>> {
  const { name, kind = 'Issuer', group = 'cert-manager.io' } = issuer;
  return { secretName, dnsNames, issuerRef: { name, kind, group } };
}

function ownersOf({ owners }: WantedCertificate): readonly Readonly<Record<string, unknown>>[] {
  return owners.map(({ name, uid }) => ({
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    name,
    uid,
  }));
}

function isAsWanted(object: KubernetesObject, wanted: WantedCertificate): boolean {
  const { secretName, dnsNames, issuerRef } = (object['spec'] ?? {}) as Readonly<Record<string, unknown>>;
  const { ownerReferences }: Readonly<Record<string, unknown>> = { ...object.metadata };
  const owners = Array.isArray(ownerReferences)
    ? (ownerReferences as readonly Readonly<Record<string, unknown>>[]).map(({ uid }) => String(uid))
    : [];
  return (
    safeJson({ secretName, dnsNames, issuerRef }) === canonicalJson(specOf(wanted)) &&
    wanted.owners.every(({ uid }) => owners.includes(uid))
  );
}

function safeJson(value: unknown): string {
  return canonicalJson(JSON.parse(JSON.stringify(value)));
}

function idOf(object: KubernetesObject): string {
  const { namespace, name } = readMeta(object);
  return `${namespace}/${name}`;
}
