// The chunks that a head names, from the cluster.
//
//   most are missing -- list, page by page --\
//                                             --> what is still missing, by name
//   some are missing -------------------------/
//
// A call costs the API server, and this process, more than what it brings: nearly 2 ms of CPU here, and forty of them at the
// start of a data plane with 1000 routes. A list brings chunks of past heads as well, for ten minutes, so it is
// given up when most of what it brings is of no use. Secrets are never listed: nobody but a head says which there are.
import { chunkName, isSecret, parseChunkName } from '#model/chunk.ts';
import type { Chunk, ChunkKind, ChunkRef } from '#model/chunk.ts';
import { refused } from '#model/chunk-reader.ts';
import type { Refusal, Refused } from '#model/chunk-reader.ts';
import { chunkKey, partLabel } from '#model/wire-names.ts';
import { isApiError } from '#kube/api-client.ts';
import type { ApiClient } from '#kube/api-client.ts';
import { resourcePath } from '#kube/api-source.ts';
import { configMapsOf, textOf } from '#kube/config-map.ts';
import { secretTextOf, secretsOf } from '#kube/secret.ts';
import type { KubeObject } from '#kube/source.ts';
import type { Logger } from '#telemetry/log.ts';

export interface ChunkFetcherOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Takes a chunk as soon as it is here. */
export type Offer = (chunk: Chunk) => Refused | undefined;

/** What was fetched is no chunk of the model. */
export class BadChunk extends Error {
  override readonly name = 'BadChunk';
  readonly refusal: Refusal;

  constructor({ refusal, message }: Refused) {
    super(message);
    this.refusal = refusal;
  }
}

/** Each takes a connection of its own, and with it a handshake. */
const parallelFetches = 8;
const listedFrom = 8;
/** Some 1.5 MB at a time, as large as chunks of hosts mostly are; no more than 50 MB, as large as they may be. */
const pageChunks = 50;

interface Page {
  readonly items: readonly KubeObject[];
  readonly metadata?: { readonly continue?: string };
}

export class ChunkFetcher {
  readonly #options: ChunkFetcherOptions;

  constructor(options: ChunkFetcherOptions) {
    this.#options = options;
  }

  /** `refs` of the `all` chunks of a head. Rejects when one cannot be had, with BadChunk when it is not what it should be. */
  async fetch(refs: readonly ChunkRef[], all: number, offer: Offer): Promise<void> {
    const missing = new Map(refs.map((ref) => [chunkName(ref), ref]));
    const take = (ref: ChunkRef, text: string): void => {
      const fault = offer({ kind: ref.kind as ChunkKind, digest: ref.digest, text });
      if (fault !== undefined) throw new BadChunk(fault);
    };
    const listable = refs.filter(({ kind }) => !isSecret(kind)).length;
    // Of a table that is here for the most part a list would bring the most part again.
    if (listable >= listedFrom && listable >= all / 2) await this.#list(missing, take);
    const left = [...missing.values()];
    const fetchNext = async (): Promise<void> => {
      for (let ref = left.pop(); ref !== undefined; ref = left.pop()) take(ref, await this.#fetch(ref));
    };
    try {
      await Promise.all(Array.from({ length: Math.min(parallelFetches, left.length) }, fetchNext));
    } finally {
      // Whoever still fetches finds nothing more to do; what is no chunk now may be repaired under the same name.
      left.length = 0;
    }
  }

  /** Takes out of `missing` what it finds. What a list does not bring, for whatever reason, is asked for by name. */
  async #list(missing: Map<string, ChunkRef>, take: (ref: ChunkRef, text: string) => void): Promise<void> {
    let useful = 0;
    let useless = 0;
    for (let next: string | undefined = ''; next !== undefined && useful >= useless;) {
      const page = await this.#page(next);
      if (page === undefined) return;
      for (const object of page.items) {
        const name = object.metadata?.name;
        const ref = missing.get(name);
        const text = ref === undefined ? undefined : textOf(object, chunkKey);
        if (ref !== undefined && text !== undefined) {
          useful++;
          missing.delete(name);
          take(ref, text);
        } else if (isOfModel(name)) useless++;
      }
      next = page.metadata?.continue || undefined;
    }
  }

  async #page(next: string): Promise<Page | undefined> {
    const { client, logger, namespace, signal } = this.#options;
    const query = { limit: String(pageChunks), ...(next === '' ? {} : { continue: next }) };
    const resource = { ...configMapsOf(namespace), labelSelector: `${partLabel}=chunk` };
    try {
      const page = await client.json({ method: 'GET', path: resourcePath(resource, query), signal });
      return isPage(page) ? page : undefined;
    } catch (error) {
      if (!signal.aborted)
        logger.debug({ err: error }, 'chunks could not be listed: they are asked for by name');
      return undefined;
    }
  }

  async #fetch(ref: ChunkRef): Promise<string> {
    const { namespace } = this.#options;
    const name = chunkName(ref);
    const isKeyMaterial = isSecret(ref.kind);
    const resource = isKeyMaterial ? secretsOf(namespace) : configMapsOf(namespace);
    const object = await this.#get(resourcePath(resource).replace('?', `/${name}`));
    if (object === undefined) throw new Error(`the answer for chunk ${name} is no JSON`);
    if (object === 'NotFound') throw new BadChunk(refused('ChunkMissing', `there is no chunk ${name}`));
    const text = isKeyMaterial ? secretTextOf(object, chunkKey) : textOf(object, chunkKey);
    if (text === undefined) throw new BadChunk(refused('ChunkMissing', `chunk ${name} has no ${chunkKey}`));
    return text;
  }

  /** Undefined for what cannot be read: a parser's error would show some of it, and it may be a key. */
  async #get(path: string): Promise<KubeObject | 'NotFound' | undefined> {
    const { client, signal } = this.#options;
    try {
      return (await client.json({ method: 'GET', path, signal })) as KubeObject;
    } catch (error) {
      if (isApiError(error, 404)) return 'NotFound';
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
}

function isPage(answer: unknown): answer is Page {
  return typeof answer === 'object' && answer !== null && Array.isArray((answer as Partial<Page>).items);
}

/** The operator's ledger stands among the chunks, and tells nothing of how many of them are old. */
function isOfModel(name: string): boolean {
  const kind = parseChunkName(name)?.kind;
  return kind !== undefined && kind !== 'claims';
}
