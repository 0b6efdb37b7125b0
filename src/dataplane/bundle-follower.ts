// Follows the head in the cluster: for every new one it fetches the chunks that it lacks and hands over a whole bundle.
//
//   head seen --> fetch what is new, by name --> apply --> wait for the next head
//                   \-- missing, refused -- back-off --> the newest head again
//
// Only the head is watched. Chunks are fetched when a head names them, so that a pod holds the present model and not
// ten minutes of past ones, and a chunk that was repaired is found although its head stayed the same.
import type { Bundle, Chunk, ChunkKind, Refusal } from '#model/bundle.ts';
import { chunkName, decodeHead } from '#model/head.ts';
import type { ChunkRef, Head } from '#model/head.ts';
import { chunkKey, headKey, headName } from '#model/wire-names.ts';
import { isApiError } from '#kube/api-client.ts';
import type { ApiClient } from '#kube/api-client.ts';
import { ApiSource, resourcePath } from '#kube/api-source.ts';
import type { Resource } from '#kube/api-source.ts';
import { BackOff } from '#kube/back-off.ts';
import { configMapsOf, textOf } from '#kube/config-map.ts';
import { reflect } from '#kube/reflect.ts';
import type { KubeObject } from '#kube/source.ts';
import type { Logger } from '#telemetry/log.ts';
import type { Applied } from './data-plane.ts';

export interface BundleTarget {
  apply(bundle: Bundle, sequence: number): Promise<Applied>;
  /** Counts and reports a revision that never became a bundle. */
  refuse(sequence: number, refusal: Refusal, message: string): void;
}

export interface BundleFollowerOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly target: BundleTarget;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const parallelFetches = 16;

export class BundleFollower {
  readonly #options: BundleFollowerOptions;
  readonly #resource: Resource;
  /** Of the head that was taken last, by name. */
  #chunks: ReadonlyMap<string, Chunk> = new Map();
  /** Of the head that is being taken. */
  readonly #fetched = new Map<string, Chunk>();
  /** The newest head, and the one that is dealt with. */
  #text: string | undefined = undefined;
  #done: string | undefined = undefined;
  #wake: () => void = () => {};
  #contactMs = performance.now();

  constructor(options: BundleFollowerOptions) {
    this.#options = options;
    this.#resource = configMapsOf(options.namespace);
  }

  /** Seconds since the API server last said anything: how old the table may be. */
  get contactAgeSeconds(): number {
    return (performance.now() - this.#contactMs) / 1000;
  }

  /** Resolves when the signal aborts; rejects only when the first table cannot be served. */
  async run(): Promise<void> {
    const { client, logger, namespace, signal } = this.#options;
    const watching = reflect(
      new ApiSource(client, { ...this.#resource, fieldSelector: `metadata.name=${headName}` }),
      {
        signal,
        onChange: (all) => this.#onHead(all.get(`${namespace}/${headName}`)),
        onError: (error) => logger.warn({ err: error }, 'the API server could not be followed; trying again'),
        onContact: () => {
          this.#contactMs = performance.now();
        },
      },
    );
    await this.#follow();
    await watching;
  }

  #onHead(object: KubeObject | undefined): void {
    if (object === undefined) {
      this.#options.logger.warn('there is no head in the cluster; the last good table stays');
      return;
    }
    const text = textOf(object, headKey);
    if (text === undefined) {
      this.#options.target.refuse(0, 'Malformed', `the head has no ${headKey}`);
      // Whatever comes next is news, even what was there before.
      this.#text = undefined;
      this.#done = undefined;
    } else if (text !== this.#text) {
      this.#text = text;
      this.#wake();
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#options;
    const backOff = new BackOff();
    while (!signal.aborted) {
      const text = this.#text;
      if (text === undefined || text === this.#done) await this.#nextHead(signal, Infinity);
      else if (await this.#take(text)) {
        this.#done = text;
        backOff.reset();
      } else if (this.#text === text) await this.#nextHead(signal, backOff.next());
    }
  }

  /** Resolves with the next head, or after `waitMs`. */
  #nextHead(signal: AbortSignal, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(waitMs) ? setTimeout(() => this.#wake(), waitMs) : undefined;
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake);
      if (signal.aborted) wake();
    });
  }

  /** Whether there is nothing left to do for this head. */
  async #take(text: string): Promise<boolean> {
    const { target } = this.#options;
    const decoded = decodeHead(text);
    if (decoded.kind === 'Refused') {
      target.refuse(0, decoded.refusal, decoded.message);
      // Only another head can be better.
      return true;
    }
    const { head } = decoded;
    const chunks = await this.#fetchMissing(head);
    if (chunks === undefined) return false;
    // Also when there is a newer head by now: under a stream of changes there always is, and this one is whole.
    const { schema, digest, sequence } = head;
    const applied = await target.apply({ schema, digest, chunks: [...chunks.values()] }, sequence);
    if (applied.kind === 'Refused') {
      // Some chunk is not what its name says, and may be repaired under the same name.
      this.#fetched.clear();
      return false;
    }
    this.#chunks = chunks;
    return true;
  }

  /** Undefined when a chunk could not be had. */
  async #fetchMissing(head: Head): Promise<ReadonlyMap<string, Chunk> | undefined> {
    const { logger, target } = this.#options;
    const found = new Map<string, Chunk>();
    const missing: ChunkRef[] = [];
    const named = new Set(head.chunks.map(chunkName));
    for (const name of this.#fetched.keys()) if (!named.has(name)) this.#fetched.delete(name);
    for (const ref of head.chunks) {
      const known = this.#chunks.get(chunkName(ref)) ?? this.#fetched.get(chunkName(ref));
      if (known === undefined) missing.push(ref);
      else found.set(chunkName(ref), known);
    }
    try {
      const fetchNext = async (): Promise<void> => {
        for (let ref = missing.pop(); ref !== undefined; ref = missing.pop()) {
          const chunk = await this.#fetch(ref);
          found.set(chunkName(ref), chunk);
          this.#fetched.set(chunkName(ref), chunk);
        }
      };
      await Promise.all(Array.from({ length: Math.min(parallelFetches, missing.length) }, fetchNext));
      return found;
    } catch (error) {
      if (error instanceof MissingChunk) target.refuse(head.sequence, 'ChunkMissing', error.message);
      else if (!this.#options.signal.aborted)
        logger.warn({ err: error }, 'a chunk could not be fetched; trying again');
      return undefined;
    }
  }

  async #fetch(ref: ChunkRef): Promise<Chunk> {
    const { client, signal } = this.#options;
    const name = chunkName(ref);
    const path = resourcePath(this.#resource).replace('?', `/${name}`);
    try {
      const text = textOf((await client.json({ method: 'GET', path, signal })) as KubeObject, chunkKey);
      if (text === undefined) throw new MissingChunk(`chunk ${name} has no ${chunkKey}`);
      return { kind: ref.kind as ChunkKind, digest: ref.digest, text };
    } catch (error) {
      throw isApiError(error, 404) ? new MissingChunk(`there is no chunk ${name}`) : error;
    }
  }
}

class MissingChunk extends Error {
  override readonly name = 'MissingChunk';
}
