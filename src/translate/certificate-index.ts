// Secrets of type kubernetes.io/tls -> the certificates that may be served, and what is wrong with the others.
//
//   fit pair ------------> served, from now on the last good one
//   unfit, had a good one -> the last good one stays, SecretInvalid
//   unfit, had none -------> not served, SecretInvalid
//   expired ---------------> as unfit while the last good one is valid; else served
//   no Secret -------------> not served, CertificatePending
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { readMeta } from '#api/kubernetes-object.ts';
import type { Certificate } from '#model/route-model.ts';
import { compareText } from '#model/text-order.ts';
import { checkKeyPair, namesCover, validityAt } from '#tls/key-pair.ts';
import type { KeyPair, PairCheck, Validity } from '#tls/key-pair.ts';
import { dataOf } from './secret-data.ts';

export type SecretState =
  | { readonly kind: 'Served'; readonly certificate: Certificate; readonly leaf: KeyPair['leaf'] }
  | { readonly kind: 'Unfit'; readonly fault: string; readonly lastGood: Certificate | undefined }
  | { readonly kind: 'Missing'; readonly pending: string };

export class CertificateIndex {
  /** Costs a signature each. */
  readonly #checks = new WeakMap<KubernetesObject, PairCheck>();
  readonly #states = new WeakMap<KubernetesObject, SecretState>();
  #objects: readonly KubernetesObject[] = [];
  #issued: readonly KubernetesObject[] = [];
  #byId: ReadonlyMap<string, KubernetesObject> = new Map();
  #pending: ReadonlyMap<string, string> = new Map();
  #lastGood: ReadonlyMap<string, Certificate> = new Map();
  readonly #missing = new Map<string, SecretState>();
  #day = '';

  /** Whether any of them may be in another state than before, or be told of otherwise. `now`: RFC 3339. */
  update(
    secrets: readonly KubernetesObject[],
    issued: readonly KubernetesObject[],
    lastGood: ReadonlyMap<string, Certificate>,
    now: string,
  ): boolean {
    const day = dayOf(now);
    const isSame =
      secrets === this.#objects &&
      issued === this.#issued &&
      day === this.#day &&
      isSameMap(lastGood, this.#lastGood);
    this.#day = day;
    if (secrets !== this.#objects) {
      this.#byId = new Map(secrets.map((object) => [idOf(object), object]));
      this.#objects = secrets;
    }
    if (issued !== this.#issued) {
      // Of two that keep one Secret the first by name counts.
      this.#pending = new Map(issued.flatMap(issuanceOf).sort(([, a], [, b]) => compareText(b, a)));
      this.#missing.clear();
      this.#issued = issued;
    }
    this.#lastGood = lastGood;
    return !isSame;
  }

  /** The same value for as long as it says the same. `id`: `namespace/secret`. */
  state(id: string): SecretState {
    const object = this.#byId.get(id);
    if (object === undefined) {
      const known = this.#missing.get(id);
      if (known !== undefined) return known;
      const state: SecretState = { kind: 'Missing', pending: this.#pending.get(id) ?? '' };
      this.#missing.set(id, state);
      return state;
    }
    const known = this.#states.get(object);
    const state = this.#stateOf(id, object, known);
    if (state !== known) this.#states.set(object, state);
    return state;
  }

  #stateOf(id: string, object: KubernetesObject, known: SecretState | undefined): SecretState {
    const lastGood = this.#lastGood.get(id);
    const check = this.#check(object);
    const fault = check.kind === 'Unfit' ? check.fault : this.#faultBeside(lastGood, check.pair);
    if (check.kind === 'Unfit' || fault !== undefined)
      return known?.kind === 'Unfit' && known.lastGood === lastGood && known.fault === fault
        ? known
        : { kind: 'Unfit', fault: fault ?? '', lastGood };
    if (known?.kind === 'Served') return known;
    const { chain, key, leaf } = check.pair;
    const { dnsNames, notAfter, fingerprint } = leaf;
    // The very pair that is served already stays the same value.
    const isSame = lastGood?.chain === chain && lastGood.key.equals(key);
    const certificate: Certificate = isSame ? lastGood : { id, chain, key, dnsNames, notAfter, fingerprint };
    return { kind: 'Served', certificate, leaf };
  }

  /** Why the last good pair is better than this one. */
  #faultBeside(lastGood: Certificate | undefined, { leaf }: KeyPair): string | undefined {
    if (lastGood === undefined || dayOf(leaf.notAfter) >= this.#day) return undefined;
    return dayOf(lastGood.notAfter) >= this.#day ? expiredAt(leaf) : undefined;
  }

  #check(object: KubernetesObject): PairCheck {
    const known = this.#checks.get(object);
    if (known !== undefined) return known;
    const check = checkKeyPair(dataOf(object, 'tls.crt'), dataOf(object, 'tls.key'));
    this.#checks.set(object, check);
    return check;
  }
}

function dayOf(time: string): string {
  return time.slice(0, 10);
}

function expiredAt({ notAfter }: KeyPair['leaf']): string {
  return `its certificate expired at ${notAfter}`;
}

function isSameMap(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

/** The certificate that is served for a Secret in this state. */
export function servedOf(state: SecretState): Certificate | undefined {
  switch (state.kind) {
    case 'Served':
      return state.certificate;
    case 'Unfit':
      return state.lastGood;
    case 'Missing':
      return undefined;
  }
}

/** What is wrong with a Secret that is to serve `hostnames`; undefined when nothing is. `now`: RFC 3339. */
export function faultOf(
  id: string,
  state: SecretState,
  hostnames: readonly string[],
  now: string,
): { readonly reason: 'SecretInvalid' | 'CertificatePending'; readonly message: string } | undefined {
  switch (state.kind) {
    case 'Missing': {
      const why = state.pending === '' ? '' : `: ${state.pending}`;
      return {
        reason: 'CertificatePending',
        message: `there is no Secret ${id} of type kubernetes.io/tls yet${why}`,
      };
    }
    case 'Unfit': {
      const stays = state.lastGood === undefined ? 'nothing is served with it' : 'its last good pair stays';
      return { reason: 'SecretInvalid', message: `Secret ${id}: ${state.fault}; ${stays}` };
    }
    case 'Served': {
      const { leaf } = state;
      const validity = validityOn(leaf, dayOf(now));
      if (validity === 'Expired')
        return {
          reason: 'SecretInvalid',
          message: `Secret ${id}: ${expiredAt(leaf)}`,
        };
      if (validity === 'NotYetValid')
        return {
          reason: 'SecretInvalid',
          message: `Secret ${id}: its certificate is valid from ${leaf.notBefore} on`,
        };
      const uncovered = hostnames.filter((hostname) => hostname !== '*' && !namesCover(leaf, hostname));
      if (uncovered.length === 0) return undefined;
      const names = leaf.dnsNames.join(', ') || 'no DNS name at all';
      return {
        reason: 'SecretInvalid',
        message: `Secret ${id}: its certificate is for ${names}, not for ${uncovered.join(', ')}`,
      };
    }
  }
}

/** Both days, the first and the last one, belong to the validity: what is told changes once a day at most. */
function validityOn(leaf: KeyPair['leaf'], day: string): Validity {
  if (validityAt(leaf, `${day}T00:00:00Z`) === 'Expired') return 'Expired';
  return validityAt(leaf, `${day}T23:59:59Z`) === 'NotYetValid' ? 'NotYetValid' : 'Valid';
}

function idOf(object: KubernetesObject): string {
  const { namespace, name } = readMeta(object);
  return `${namespace}/${name}`;
}

/** `namespace/secret` and what cert-manager says of it, for a Certificate that is not ready. */
function issuanceOf(object: KubernetesObject): readonly (readonly [string, string])[] {
  const { namespace, name } = readMeta(object);
  const spec = (object['spec'] ?? {}) as { readonly secretName?: unknown };
  if (typeof spec.secretName !== 'string') return [];
  return [[`${namespace}/${spec.secretName}`, issuanceText(name, object['status'])]];
}

function issuanceText(name: string, status: unknown): string {
  const { conditions }: { readonly conditions?: unknown } =
    typeof status === 'object' && status !== null ? status : {};
  const said = (Array.isArray(conditions) ? (conditions as readonly unknown[]) : []).flatMap((each) => {
    const { type, status: value, reason, message } = (each ?? {}) as Readonly<Record<string, unknown>>;
    const isTelling = (type === 'Issuing' && value === 'True') || (type === 'Ready' && value === 'False');
    const words = [reason, message].filter((word) => typeof word === 'string' && word !== '');
    return isTelling && words.length > 0 ? [words.join(': ')] : [];
  });
  return `Certificate ${name} ${said.length === 0 ? 'is not issued yet' : [...new Set(said)].join('; ')}`.slice(
    0,
    1024,
  );
}
