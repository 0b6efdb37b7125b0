// Follows the head in the cluster: for every new one it fetches the chunks that it lacks and hands over a whole bundle.
//
//   head seen --> fetch what is new --> apply --> wait for the next head
//                   \-- missing, refused -- back-off --> the newest head again
//
// Only the head is watched. Chunks are fetched when a head names them, so that a pod holds the present model and not
// ten minutes of past ones (see chunk-fetcher.ts), and a chunk that was repaired is found although its head stayed the same.
import type { Chunk, ChunkRef } from '#model/chunk.ts';
import type { Refusal, Refused } from '#model/chunk-reader.ts';
import { decodeHead } from '#model/head.ts';
import type { Head } from '#model/head.ts';
import type { Delivery } from '#model/model-reader.ts';
import { headKey, headName } from '#model/wire-names.ts';
import type { ApiClient } from '#kube/api-client.ts';
import { ApiSource } from '#kube/api-source.ts';
import type { Resource } from '#kube/api-source.ts';
import { BackOff } from '#kube/back-off.ts';
import { configMapsOf, textOf } from '#kube/config-map.ts';
import { reflect } from '#kube/reflect.ts';
import type { KubeObject } from '#kube/source.ts';
import type { Logger } from '#telemetry/log.ts';
import { BadChunk, ChunkFetcher } from './chunk-fetcher.ts';
import type { Applied } from './data-plane.ts';

export interface BundleTarget {
  /** Which of these chunks it does not have. */
  missing(schema: number, refs: readonly ChunkRef[]): readonly ChunkRef[];
  /** One of them, as soon as it is here: a text that waited for all others would only take memory. */
  offer(chunk: Chunk): Refused | undefined;
  /** Of chunks that it has by now. */
  apply(bundle: Delivery, sequence: number): Promise<Applied>;
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

export class BundleFollower {
  readonly #options: BundleFollowerOptions;
  readonly #resource: Resource;
  readonly #fetcher: ChunkFetcher;
  /** The newest head, and the one that is dealt with. */
  #text: string | undefined = undefined;
  #done: string | undefined = undefined;
  #wake: () => void = () => {};
  #contactMs = performance.now();

  constructor(options: BundleFollowerOptions) {
    this.#options = options;
    this.#resource = configMapsOf(options.namespace);
    this.#fetcher = new ChunkFetcher(options);
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
    if (!(await this.#fetchMissing(head))) return false;
    // Also when there is a newer head by now: under a stream of changes there always is, and this one is whole.
    const { schema, digest, sequence } = head;
    // A head names no ledger of claims among its chunks.
    const chunks = head.chunks as Delivery['chunks'];
    const applied = await target.apply({ schema, digest, chunks }, sequence);
    return applied.kind !== 'Refused';
  }

  /** False when a chunk could not be had. */
  async #fetchMissing({ schema, chunks, sequence }: Head): Promise<boolean> {
    const { logger, signal, target } = this.#options;
    try {
      await this.#fetcher.fetch(target.missing(schema, chunks), chunks.length, (chunk) =>
        target.offer(chunk),
      );
      return true;
    } catch (error) {
      if (error instanceof BadChunk) target.refuse(sequence, error.refusal, error.message);
      else if (!signal.aborted) logger.warn({ err: error }, 'a chunk could not be fetched; trying again');
      return false;
    }
  }
}
