// The `ca.crt` of Secrets of type kubernetes.io/tls -> who is trusted: by backends' certificates, or by clients'.
//
//   no such Secret ----------> Missing
//   no, or an unfit ca.crt --> Unfit: nobody is trusted, rather than everybody or those of before
//   fit ---------------------> its certificates
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { readMeta } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import { ListDifference } from '#model/list-difference.ts';
import { checkCaBundle, joinBundles, mostBundleBytes } from '#tls/ca-bundle.ts';
import { dataOf } from './secret-data.ts';

export type AuthorityState =
  | { readonly kind: 'Missing' }
  | { readonly kind: 'Unfit'; readonly fault: string }
  | { readonly kind: 'Fit'; readonly certificates: readonly string[] };

/** Secrets by `namespace/secret`, as far as an object asks for them. */
export interface AuthorityLookup {
  /** The same value for as long as it says the same. */
  authority(id: string): AuthorityState;
}

export type ResolvedAuthorities =
  | { readonly kind: 'Resolved'; readonly pem: string }
  | { readonly kind: 'Unresolved'; readonly problem: Problem };

/** All that `names`, Secrets of `namespace`, hold together. `at`: the place of the list of references. */
export function resolveAuthorities(
  names: readonly string[],
  namespace: string,
  at: string,
  lookup: AuthorityLookup,
): ResolvedAuthorities {
  const bundles: (readonly string[])[] = [];
  for (const [index, name] of names.entries()) {
    const id = `${namespace}/${name}`;
    const state = lookup.authority(id);
    const place = `${at}[${index}].name`;
    if (state.kind === 'Missing')
      return unresolved('SecretNotFound', place, `there is no Secret ${id} of type kubernetes.io/tls`);
    if (state.kind === 'Unfit') return unresolved('SecretInvalid', place, `Secret ${id}: ${state.fault}`);
    bundles.push(state.certificates);
  }
  const pem = joinBundles(bundles);
  if (pem.length > mostBundleBytes)
    return unresolved('SecretInvalid', at, 'all the certificates of these Secrets together exceed 64 KiB');
  return { kind: 'Resolved', pem };
}

function unresolved(reason: Problem['reason'], at: string, message: string): ResolvedAuthorities {
  return { kind: 'Unresolved', problem: { reason, at, message } };
}

const missing: AuthorityState = { kind: 'Missing' };

/** What is asked for is remembered although nobody may ask any more: beyond this, all of it is forgotten at once. */
const mostAsked = 10_000;

interface Known {
  /** Undefined: there is no such Secret. */
  readonly text: string | undefined;
  readonly state: AuthorityState;
}

export class AuthorityIndex implements AuthorityLookup {
  readonly #secrets = new ListDifference<KubernetesObject>();
  readonly #byId = new Map<string, KubernetesObject>();
  /** What was answered last: few of the Secrets hold authorities that anybody asks for. */
  readonly #asked = new Map<string, Known>();

  /** Whether something that was asked for is another thing now: a renewed pair beside the same ca.crt is not. */
  update(secrets: readonly KubernetesObject[]): boolean {
    const { added, removed } = this.#secrets.update(secrets);
    for (const object of removed) this.#byId.delete(idOf(object));
    for (const object of added) this.#byId.set(idOf(object), object);
    let hasOther = this.#asked.size > mostAsked;
    if (hasOther) this.#asked.clear();
    for (const id of new Set([...removed, ...added].map(idOf))) {
      const known = this.#asked.get(id);
      if (known === undefined || this.#textOf(id) === known.text) continue;
      this.#asked.delete(id);
      hasOther = true;
    }
    return hasOther;
  }

  authority(id: string): AuthorityState {
    const known = this.#asked.get(id);
    if (known !== undefined) return known.state;
    const text = this.#textOf(id);
    const state = text === undefined ? missing : stateOf(text);
    this.#asked.set(id, { text, state });
    return state;
  }

  #textOf(id: string): string | undefined {
    const object = this.#byId.get(id);
    return object === undefined ? undefined : dataOf(object, 'ca.crt');
  }
}

function stateOf(text: string): AuthorityState {
  if (text === '') return { kind: 'Unfit', fault: 'it has no ca.crt' };
  const check = checkCaBundle(text);
  return check.kind === 'Unfit' ? check : { kind: 'Fit', certificates: check.certificates };
}

function idOf(object: KubernetesObject): string {
  const { namespace, name } = readMeta(object);
  return `${namespace}/${name}`;
}
