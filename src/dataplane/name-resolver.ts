// Keeps the endpoints of upstreams that are the addresses of a DNS name, as Services of type ExternalName are.
//
//   waiting -- due --> queued -- a slot is free --> asking -- answer --> waiting refreshMs
//                                                     \------ failure --> waiting 1 s, 2 s, ... refreshMs
//
// A failure leaves the last good answer in place; the second one in a row to say that the name has no address, or
// keepMs without an answer, empties it. What a name may lead to is judged with every answer, on the addresses that
// connections then go to: a name that turns to a private address is refused as if it had never been another.
import { lookup as lookupAddresses } from 'node:dns/promises';
import type { Endpoint } from '#model/route-model.ts';
import { compareText } from '#model/text-order.ts';
import { addressBytes } from '#transport/address.ts';
import { isPublicAddress } from './public-address.ts';

export interface NamedUpstream {
  readonly id: string;
  readonly name: string;
  readonly port: number;
  /** Public: answers that are private, link-local, loopback and the like are refused. */
  readonly allowed: 'Public' | 'Any';
}

export interface NameResolverOptions {
  /** The addresses of a name; rejects, or has none, when there is nothing to be had. */
  readonly lookup?: (name: string) => Promise<readonly string[]>;
  /** Sorted, each once, all Ready; only when they differ from what was told before, which at first is none. */
  readonly onResolved: (id: string, endpoints: readonly Endpoint[]) => void;
  /** An address that is not public: told once, as long as each answer has it. */
  readonly onRefused: (id: string, name: string, address: string) => void;
  /** With each lookup that failed, found nothing, or took longer than `timeoutMs`. */
  readonly onError: (id: string, name: string, error: unknown) => void;
  readonly refreshMs?: number;
  /** How long the last good answer outlives the first failure after it. */
  readonly keepMs?: number;
  /** So many lookups at once: each holds a thread of the runtime, which has few. */
  readonly parallel?: number;
  readonly timeoutMs?: number;
  readonly random?: () => number;
}

const firstRetryMs = 1_000;
/** Of each wait, up and down: names that came with one model do not stay in step. */
const jitter = 0.2;
const absencesUntilBelieved = 2;

interface Follower {
  upstream: NamedUpstream;
  told: readonly Endpoint[];
  refused: ReadonlySet<string>;
}

/** What is known of a name that somebody follows. */
interface NameState {
  readonly name: string;
  readonly followers: Map<string, Follower>;
  /** Undefined until the first lookup had an outcome. */
  addresses: readonly string[] | undefined;
  /** In a row. */
  failures: number;
  /** Since the last good answer. */
  absences: number;
  retryTimer: NodeJS.Timeout | undefined;
  keepTimer: NodeJS.Timeout | undefined;
}

export class NameResolver {
  readonly #options: Required<NameResolverOptions>;
  #followers = new Map<string, Follower>();
  readonly #names = new Map<string, NameState>();
  readonly #queue = new Set<NameState>();
  #asking = 0;

  constructor(options: NameResolverOptions) {
    this.#options = {
      lookup: systemLookup,
      refreshMs: 15_000,
      keepMs: 300_000,
      parallel: 8,
      timeoutMs: 5_000,
      random: Math.random,
      ...options,
    };
  }

  /**
   * Exactly these from now on. Those that are new or changed are resolved at once; those that went are forgotten, and
   * nothing is told of them any more. One whose name changed keeps its endpoints until the new name had its first
   * outcome, unless it may no longer have them.
   */
  update(upstreams: readonly NamedUpstream[]): void {
    const before = this.#followers;
    this.#followers = new Map();
    const changed: Follower[] = [];
    for (const upstream of upstreams) {
      const known = before.get(upstream.id);
      const follower = known ?? { upstream, told: [], refused: new Set<string>() };
      this.#followers.set(upstream.id, follower);
      if (known === undefined || !isSame(known.upstream, upstream)) changed.push(follower);
      if (known?.upstream.name !== upstream.name) follower.refused = new Set();
      if (known !== undefined && known.upstream.name !== upstream.name)
        this.#names.get(known.upstream.name)?.followers.delete(upstream.id);
      const isStricter = known?.upstream.allowed === 'Any' && upstream.allowed === 'Public';
      follower.upstream = upstream;
      this.#stateOf(upstream.name).followers.set(upstream.id, follower);
      if (isStricter && this.#stateOf(upstream.name).addresses === undefined) this.#tell(follower, []);
    }
    for (const [id, { upstream }] of before)
      if (!this.#followers.has(id)) this.#names.get(upstream.name)?.followers.delete(id);
    for (const state of this.#names.values()) if (state.followers.size === 0) this.#forget(state);
    // An answer that is there already is as good as a new one.
    for (const follower of changed) {
      const addresses = this.#names.get(follower.upstream.name)?.addresses;
      if (addresses !== undefined) this.#judge(follower, addresses);
    }
    this.#askNext();
  }

  /** Forgets all upstreams; nothing is told any more. */
  close(): void {
    this.update([]);
  }

  #stateOf(name: string): NameState {
    let state = this.#names.get(name);
    if (state === undefined) {
      state = {
        name,
        followers: new Map(),
        addresses: undefined,
        failures: 0,
        absences: 0,
        retryTimer: undefined,
        keepTimer: undefined,
      };
      this.#names.set(name, state);
      this.#queue.add(state);
    }
    return state;
  }

  #forget(state: NameState): void {
    this.#names.delete(state.name);
    this.#queue.delete(state);
    clearTimeout(state.retryTimer);
    clearTimeout(state.keepTimer);
  }

  #isKnown(state: NameState): boolean {
    return this.#names.get(state.name) === state;
  }

  #askNext(): void {
    for (const state of this.#queue) {
      if (this.#asking >= this.#options.parallel) return;
      this.#queue.delete(state);
      void this.#ask(state);
    }
  }

  /** A lookup cannot be called off: it holds its slot until it ends, and an answer that came late is still one. */
  async #ask(state: NameState): Promise<void> {
    const { lookup, timeoutMs } = this.#options;
    this.#asking++;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#onFailure(state, new Error(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    timer.unref();
    let outcome: readonly string[] | { readonly error: unknown };
    try {
      outcome = await lookup(state.name);
    } catch (error) {
      outcome = { error };
    }
    clearTimeout(timer);
    this.#asking--;
    if (!('error' in outcome) && outcome.length > 0) this.#onAnswer(state, outcome);
    else if (!isLate)
      this.#onFailure(state, 'error' in outcome ? outcome.error : new NoAddress('the name has no address'));
    this.#wait(state);
    this.#askNext();
  }

  #wait(state: NameState): void {
    if (!this.#isKnown(state)) return;
    const { refreshMs, random } = this.#options;
    const waitMs =
      state.failures === 0 ? refreshMs : Math.min(firstRetryMs * 2 ** (state.failures - 1), refreshMs);
    const onDue = (): void => {
      this.#queue.add(state);
      this.#askNext();
    };
    state.retryTimer = setTimeout(onDue, Math.round(waitMs * (1 - jitter + 2 * jitter * random())));
    state.retryTimer.unref();
  }

  #onAnswer(state: NameState, addresses: readonly string[]): void {
    state.failures = 0;
    state.absences = 0;
    clearTimeout(state.keepTimer);
    state.keepTimer = undefined;
    this.#setAddresses(state, addresses);
  }

  #onFailure(state: NameState, error: unknown): void {
    if (!this.#isKnown(state)) return;
    state.failures++;
    // A failure in between says nothing either way.
    if (isAbsence(error)) state.absences++;
    if (state.keepTimer === undefined) {
      state.keepTimer = setTimeout(() => this.#setAddresses(state, []), this.#options.keepMs);
      state.keepTimer.unref();
    }
    for (const { upstream } of state.followers.values())
      this.#options.onError(upstream.id, state.name, error);
    // Before the first answer there is nothing of this name to keep.
    if (state.addresses === undefined || state.absences >= absencesUntilBelieved)
      this.#setAddresses(state, []);
  }

  #setAddresses(state: NameState, addresses: readonly string[]): void {
    state.addresses = addresses;
    for (const follower of state.followers.values()) this.#judge(follower, addresses);
  }

  #judge(follower: Follower, addresses: readonly string[]): void {
    const { id, name, port, allowed } = follower.upstream;
    const sorted = [...new Set(addresses)].sort(compareText);
    const isTaken = (address: string): boolean => allowed === 'Any' || isPublicAddress(address);
    const refusedBefore = follower.refused;
    follower.refused = new Set(sorted.filter((address) => !isTaken(address)));
    this.#tell(
      follower,
      sorted.filter(isTaken).map((address) => ({ address, port, state: 'Ready' })),
    );
    for (const address of follower.refused)
      if (!refusedBefore.has(address)) this.#options.onRefused(id, name, address);
  }

  #tell(follower: Follower, endpoints: readonly Endpoint[]): void {
    const { told, upstream } = follower;
    const isAsTold =
      told.length === endpoints.length &&
      told.every(({ address, port }, at) => {
        const endpoint = endpoints[at];
        return endpoint?.address === address && endpoint.port === port;
      });
    if (isAsTold) return;
    follower.told = endpoints;
    this.#options.onResolved(upstream.id, endpoints);
  }
}

/**
 * What getaddrinfo says, from /etc/hosts or DNS. To a cluster an externalName is the target of
 * a CNAME, which is absolute (RFC 1034 3.6.2). Asked as written, db.example.com would first be looked for in the search
 * list of this pod, where whoever owns a namespace called "com" could answer; so it gets the dot of an absolute name.
 * A name of one label is asked as written: only /etc/hosts and the search list know any.
 */
export async function systemLookup(name: string): Promise<readonly string[]> {
  const isQualified = name.includes('.') && !name.endsWith('.') && addressBytes(name) === undefined;
  const found = await lookupAddresses(isQualified ? `${name}.` : name, { all: true, verbatim: true });
  return found.map(({ address }) => address);
}

class NoAddress extends Error {
  override readonly name = 'NoAddress';
}

/** The DNS said that there is nothing, rather than nothing. */
function isAbsence(error: unknown): boolean {
  if (error instanceof NoAddress) return true;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

function isSame(a: NamedUpstream, b: NamedUpstream): boolean {
  return a.name === b.name && a.port === b.port && a.allowed === b.allowed;
}
