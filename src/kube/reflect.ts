// Keeps a complete copy of a collection, whatever happens to the API server.
//
//   Listing -- complete --> Watching -- events ------------> Watching
//      ^  \                    |  \---- ended, broken ------> Resuming -- back-off --> Watching
//      |   \-- failed --+      |
//      |                v      \------- 410 ---------------> Listing
//      +-- back-off -- Failed
//
// The copy is handed out only when it is complete: a list that failed, or of which a page is missing, changes nothing,
// and neither does a watch that breaks. A watch that says nothing for too long is taken for dead: bookmarks come about
// once a minute, so silence beyond that means a connection that nobody serves.
import { ApiError } from './api-client.ts';
import { BackOff } from './back-off.ts';
import { Deadline, delay } from './deadline.ts';
import { Expired } from './source.ts';
import type { KubeObject, Source } from './source.ts';

export interface ReflectOptions<T extends KubeObject> {
  /**
   * The whole collection by `namespace/name`, after every change. Called first when the first list is complete. The map
   * is live: it goes on changing, one event at a time, until a new list replaces it; whoever keeps a state copies it.
   */
  readonly onChange: (all: ReadonlyMap<string, T>, change: Change<T>) => void;
  /** What went wrong, for a log and a counter; it is dealt with already. */
  readonly onError: (error: unknown) => void;
  /** The copy has just been in step with the API server: the material of a gauge of staleness. */
  readonly onContact?: () => void;
  /** `after` with those of its values that are as in `before` taken from there, so that they need not be kept twice. */
  readonly reuse?: (before: T, after: T) => T;
  readonly signal: AbortSignal;
  readonly listTimeoutMs?: number;
  readonly silenceMs?: number;
  /** An empty list after a full one is believed when another one says so this much later. */
  readonly confirmEmptyMs?: number;
  /** Something was there before this copy began: a first list that is empty is not believed at once either. */
  readonly isSomethingExpected?: boolean;
  readonly backOff?: BackOff;
}

export type Change<T extends KubeObject> =
  | { readonly kind: 'Listed' }
  | { readonly kind: 'Applied'; readonly before: T | undefined; readonly after: T }
  | { readonly kind: 'Deleted'; readonly before: T | undefined };

const listTimeoutDefaultMs = 30_000;
const silenceDefaultMs = 120_000;
/** Whatever Retry-After says. */
const longestWaitMs = 30_000;
const confirmEmptyDefaultMs = 5000;

type State =
  | { readonly kind: 'Listing'; readonly mayBeEmpty?: true }
  | { readonly kind: 'Watching'; readonly resourceVersion: string }
  | { readonly kind: 'Waiting'; readonly delayMs: number; readonly next: State };

/** Resolves when `signal` aborts, and only then. */
export async function reflect<T extends KubeObject>(
  source: Source<T>,
  options: ReflectOptions<T>,
): Promise<void> {
  const reflector = new Reflector(source, options);
  let state: State = { kind: 'Listing' };
  while (!options.signal.aborted) state = await reflector.step(state);
}

class Reflector<T extends KubeObject> {
  readonly #source: Source<T>;
  readonly #options: ReflectOptions<T>;
  readonly #backOff: BackOff;
  #all = new Map<string, T>();
  #isFirst = true;

  constructor(source: Source<T>, options: ReflectOptions<T>) {
    this.#source = source;
    this.#options = options;
    this.#backOff = options.backOff ?? new BackOff();
  }

  async step(state: State): Promise<State> {
    switch (state.kind) {
      case 'Listing':
        return this.#list(state.mayBeEmpty === true);
      case 'Watching':
        return this.#watch(state.resourceVersion);
      case 'Waiting':
        await delay(state.delayMs, this.#options.signal);
        return state.next;
    }
  }

  async #list(mayBeEmpty: boolean): Promise<State> {
    const deadline = new Deadline(
      this.#options.signal,
      this.#options.listTimeoutMs ?? listTimeoutDefaultMs,
      `the list of ${this.#source.name} is not complete within the time allowed`,
    );
    try {
      const { items, resourceVersion } = await this.#source.list(deadline.signal, () => deadline.extend());
      this.#contact();
      // Everything gone at once is more often a server that has lost its mind than a cluster that has been emptied.
      const isDoubtful = this.#all.size > 0 || (this.#isFirst && this.#options.isSomethingExpected === true);
      if (items.length === 0 && isDoubtful && !mayBeEmpty)
        return {
          kind: 'Waiting',
          delayMs: this.#options.confirmEmptyMs ?? confirmEmptyDefaultMs,
          next: { kind: 'Listing', mayBeEmpty: true },
        };
      this.#isFirst = false;
      this.#all = new Map(items.map((item) => [keyOf(item), this.#reuse(item)]));
      this.#options.onChange(this.#all, { kind: 'Listed' });
      return { kind: 'Watching', resourceVersion };
    } catch (error) {
      return this.#failed(error, { kind: 'Listing' });
    } finally {
      deadline.end();
    }
  }

  async #watch(from: string): Promise<State> {
    let resourceVersion = from;
    const deadline = new Deadline(
      this.#options.signal,
      this.#options.silenceMs ?? silenceDefaultMs,
      `the watch of ${this.#source.name} was silent for too long`,
    );
    try {
      for await (const event of this.#source.watch(from, deadline.signal)) {
        deadline.extend();
        this.#contact();
        if (event.kind === 'Bookmark') {
          resourceVersion = event.resourceVersion || resourceVersion;
          continue;
        }
        resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
        this.#take(event.kind, event.object);
      }
      // Watches end by themselves every few minutes; one that ended without a word may be refused next time, too.
      if (resourceVersion === from)
        return {
          kind: 'Waiting',
          delayMs: this.#backOff.next(),
          next: { kind: 'Watching', resourceVersion },
        };
      return { kind: 'Watching', resourceVersion };
    } catch (error) {
      if (error instanceof Expired)
        return { kind: 'Waiting', delayMs: this.#backOff.next(), next: { kind: 'Listing' } };
      return this.#failed(error, { kind: 'Watching', resourceVersion });
    } finally {
      deadline.end();
    }
  }

  #take(kind: 'Applied' | 'Deleted', object: T): void {
    const key = keyOf(object);
    const before = this.#all.get(key);
    if (kind === 'Deleted') {
      this.#all.delete(key);
      this.#options.onChange(this.#all, { kind, before });
      return;
    }
    const after = this.#reuse(object);
    this.#all.set(key, after);
    this.#options.onChange(this.#all, { kind, before, after });
  }

  #reuse(after: T): T {
    const { reuse } = this.#options;
    const before = reuse === undefined ? undefined : this.#all.get(keyOf(after));
    return reuse === undefined || before === undefined ? after : reuse(before, after);
  }

  #failed(error: unknown, next: State): State {
    if (!this.#options.signal.aborted) this.#options.onError(error);
    const asked = error instanceof ApiError ? error.retryAfterSeconds * 1000 : 0;
    return { kind: 'Waiting', delayMs: Math.max(this.#backOff.next(), Math.min(asked, longestWaitMs)), next };
  }

  #contact(): void {
    this.#backOff.reset();
    this.#options.onContact?.();
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}
