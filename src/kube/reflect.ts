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
import { BackOff } from './back-off.ts';
import { Expired } from './source.ts';
import type { KubeObject, Source } from './source.ts';

export interface ReflectOptions<T extends KubeObject> {
  /** The whole collection by `namespace/name`, after every change. Called first when the first list is complete. */
  readonly onChange: (all: ReadonlyMap<string, T>) => void;
  /** What went wrong, for a log and a counter; it is dealt with already. */
  readonly onError: (error: unknown) => void;
  /** The copy has just been in step with the API server: the material of a gauge of staleness. */
  readonly onContact?: () => void;
  readonly signal: AbortSignal;
  readonly listTimeoutMs?: number;
  readonly silenceMs?: number;
  readonly backOff?: BackOff;
}

const listTimeoutDefaultMs = 30_000;
const silenceDefaultMs = 120_000;

type State =
  | { readonly kind: 'Listing' }
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

  constructor(source: Source<T>, options: ReflectOptions<T>) {
    this.#source = source;
    this.#options = options;
    this.#backOff = options.backOff ?? new BackOff();
  }

  async step(state: State): Promise<State> {
    switch (state.kind) {
      case 'Listing':
        return this.#list();
      case 'Watching':
        return this.#watch(state.resourceVersion);
      case 'Waiting':
        await delay(state.delayMs, this.#options.signal);
        return state.next;
    }
  }

  async #list(): Promise<State> {
    const deadline = new Deadline(this.#options.signal, this.#options.listTimeoutMs ?? listTimeoutDefaultMs);
    try {
      const { items, resourceVersion } = await this.#source.list(deadline.signal);
      this.#all = new Map(items.map((item) => [keyOf(item), item]));
      this.#contact();
      this.#options.onChange(this.#all);
      return { kind: 'Watching', resourceVersion };
    } catch (error) {
      return this.#failed(error, { kind: 'Listing' });
    } finally {
      deadline.end();
    }
  }

  async #watch(from: string): Promise<State> {
    let resourceVersion = from;
    const deadline = new Deadline(this.#options.signal, this.#options.silenceMs ?? silenceDefaultMs);
    try {
      for await (const event of this.#source.watch(from, deadline.signal)) {
        deadline.extend();
        this.#contact();
        if (event.kind === 'Bookmark') {
          ({ resourceVersion } = event);
          continue;
        }
        resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
        // Readers keep the map that they were given; the next one is another.
        this.#all = new Map(this.#all);
        if (event.kind === 'Deleted') this.#all.delete(keyOf(event.object));
        else this.#all.set(keyOf(event.object), event.object);
        this.#options.onChange(this.#all);
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
      if (error instanceof Expired) return { kind: 'Listing' };
      return this.#failed(error, { kind: 'Watching', resourceVersion });
    } finally {
      deadline.end();
    }
  }

  #failed(error: unknown, next: State): State {
    if (!this.#options.signal.aborted) this.#options.onError(error);
    return { kind: 'Waiting', delayMs: this.#backOff.next(), next };
  }

  #contact(): void {
    this.#backOff.reset();
    this.#options.onContact?.();
  }
}

/** A signal that aborts with its parent, or when nobody has extended it for `ms`. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal;
  readonly #ms: number;
  #timer: NodeJS.Timeout;

  constructor(parent: AbortSignal, ms: number) {
    this.#parent = parent;
    this.#ms = ms;
    this.#timer = this.#start();
    parent.addEventListener('abort', this.#onParent);
    if (parent.aborted) this.#onParent();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  extend(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#parent.removeEventListener('abort', this.#onParent);
    this.#controller.abort();
  }

  readonly #onParent = (): void => this.#controller.abort(this.#parent.reason);

  #start(): NodeJS.Timeout {
    return setTimeout(
      () => this.#controller.abort(new Error(`the API server was silent for ${this.#ms} ms`)),
      this.#ms,
    );
  }
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}
