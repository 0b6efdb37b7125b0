// What one thread has made of values that requests asked for: compiled hosts, upstreams with their connections. The
// others are texts in shared memory.
import { nowhere } from './slabs.ts';
import type { StagedIndex } from './staged-index.ts';

/** Looks at values between two looks at the sockets, and how many of them one renewal is worth. */
const workAtOnce = 2048;
const renewalWork = 32;

/** No place at all, not even that of what is gone. */
const outdated = -1;

export interface LiveKind<V> {
  make(key: string, text: string): V;
  /** The same value, of another text. */
  renew(value: V, key: string, text: string): V;
  /** A value whose text changes is told soon, whether or not somebody asks for it; otherwise it is forgotten. */
  readonly isTold: boolean;
  /** It is not to be forgotten now. */
  isBusy(value: V): boolean;
  /** It is gone from the table, or forgotten. */
  end(value: V): void;
}

interface Live<V> {
  number: number;
  /** Of what `value` was made of. */
  place: number;
  value: V;
  /** Asked for since it was last looked at for being forgotten. */
  isUsed: boolean;
}

export class LiveValues<V> {
  readonly #index: StagedIndex;
  readonly #kind: LiveKind<V>;
  readonly #most: number;
  /** The one that was made, or spared, longest ago first. */
  readonly #live = new Map<string, Live<V>>();
  #refreshing: Iterator<[string, Live<V>]>;

  /** Above `most` values those that nobody asked for lately are forgotten; they are made again when somebody does. */
  constructor(index: StagedIndex, kind: LiveKind<V>, most: number) {
    this.#index = index;
    this.#kind = kind;
    this.#most = most;
    this.#refreshing = this.#live.entries();
  }

  get size(): number {
    return this.#live.size;
  }

  get(key: string): V | undefined {
    const live = this.#live.get(key);
    if (live === undefined) return this.#make(key);
    live.isUsed = true;
    return this.#index.placeOf(live.number) === live.place ? live.value : this.#renew(key, live);
  }

  /** As it is, if it was made. */
  known(key: string): V | undefined {
    return this.#live.get(key)?.value;
  }

  /** One is to be made again now, if it is there. */
  renew(key: string): void {
    const live = this.#live.get(key);
    if (live !== undefined) this.#renew(key, live);
  }

  /** All are to be made again, although their texts stay. */
  invalidate(): void {
    for (const live of this.#live.values()) live.place = outdated;
  }

  /** One piece of what a flip leaves to do: outdated values are renewed or forgotten. False: there is nothing left. */
  refresh(): boolean {
    for (let work = 0; work < workAtOnce; work++) {
      const { done, value } = this.#refreshing.next();
      if (done === true) return false;
      const [key, live] = value;
      if (this.#index.placeOf(live.number) === live.place) continue;
      work += renewalWork;
      if (this.#kind.isTold) this.#renew(key, live);
      else this.#live.delete(key);
    }
    return true;
  }

  /** From the first one on: after a flip. */
  beginRefresh(): void {
    this.#refreshing = this.#live.entries();
  }

  #make(key: string): V | undefined {
    const number = this.#index.find(key);
    const place = number < 0 ? nowhere : this.#index.placeOf(number);
    if (place === nowhere) return undefined;
    if (this.#live.size >= this.#most) this.#forgetSome();
    const value = this.#kind.make(key, this.#index.textAt(place));
    this.#live.set(key, { number, place, value, isUsed: false });
    return value;
  }

  #renew(key: string, live: Live<V>): V | undefined {
    live.number = this.#index.find(key);
    live.place = live.number < 0 ? nowhere : this.#index.placeOf(live.number);
    if (live.place !== nowhere) {
      live.value = this.#kind.renew(live.value, key, this.#index.textAt(live.place));
      return live.value;
    }
    this.#live.delete(key);
    this.#kind.end(live.value);
    return undefined;
  }

  /** A second chance for whoever was asked for: only the next time that it is looked at it is forgotten. */
  #forgetSome(): void {
    let looks = Math.ceil(this.#most / 16);
    let wanted = Math.ceil(this.#most / 64);
    for (const [key, live] of this.#live) {
      if (looks-- === 0 || wanted === 0) break;
      this.#live.delete(key);
      if (live.isUsed || this.#kind.isBusy(live.value)) {
        live.isUsed = false;
        this.#live.set(key, live);
      } else {
        this.#kind.end(live.value);
        wanted--;
      }
    }
  }
}
