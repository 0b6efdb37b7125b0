// What stands in the store as a published bundle, and the law that must hold after every single write.
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import type { Decoded } from '#model/bundle-reader.ts';
import { chunkName, isSecret } from '#model/chunk.ts';
import type { Chunk, ChunkRef } from '#model/chunk.ts';
import { decodeHead } from '#model/head.ts';
import type { Head } from '#model/head.ts';
import { digestOf } from '#model/canonical-json.ts';
import type { KubeObject } from '#kube/source.ts';
import { chunkKey, headKey, headName, partLabel } from '#model/wire-names.ts';
import type { Inventory } from '#operator/publisher.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';
import type { FakeApi } from '../kube/fake-api.ts';

export const namespace = 'flint-routes';
export const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
export const secrets = `/api/v1/namespaces/${namespace}/secrets`;

/** Two of these bundles differ in one chunk alone, that of the upstreams. */
export function bundleOf(endpoints: number, host = 'a.test'): Bundle {
  return encode(modelOf([exactHost(host, 'x/s:80')], [upstream('x/s:80', endpoints)]));
}

export function textIn(object: KubeObject | undefined, key: string): string | undefined {
  return (object?.['data'] as Readonly<Record<string, string>> | undefined)?.[key];
}

/** What stands in the object of that chunk, ConfigMap or Secret. */
export function chunkText(api: FakeApi, ref: ChunkRef): string | undefined {
  if (!isSecret(ref.kind)) return textIn(api.get(configMaps, chunkName(ref)), chunkKey);
  const encoded = textIn(api.get(secrets, chunkName(ref)), chunkKey);
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
}

export function headText(api: FakeApi): string | undefined {
  return textIn(api.get(configMaps, headName), headKey);
}

/** Undefined when there is none that can be read. */
export function storedHead(api: FakeApi): Head | undefined {
  const decoded = decodeHead(headText(api) ?? '');
  return decoded.kind === 'Decoded' ? decoded.head : undefined;
}

export function chunkNames(api: FakeApi): readonly string[] {
  return inventoryOf(api).chunks.map(({ metadata }) => metadata.name);
}

/** What a watch that is in step with the store has shown. */
export function inventoryOf(api: FakeApi): Inventory {
  return {
    head: api.get(configMaps, headName),
    chunks: [...api.list(configMaps), ...api.list(secrets)].filter(
      ({ metadata }) => (metadata['labels'] as Record<string, unknown>)?.[partLabel] === 'chunk',
    ),
  };
}

/** What a reader makes of the store: the digest of a whole, sound model, or what is wrong with it. */
export function readBundle(api: FakeApi): string {
  const decoded = readModel(api);
  if (decoded === undefined) return 'no head';
  return decoded.kind === 'Decoded' ? (storedHead(api)?.digest ?? '') : decoded.message;
}

/** Undefined when there is no head that can be read. */
export function readModel(api: FakeApi): Decoded | undefined {
  const head = storedHead(api);
  if (head === undefined) return undefined;
  const chunks = head.chunks.map((ref): Chunk => {
    const text = chunkText(api, ref) ?? 'missing';
    return { kind: ref.kind as Chunk['kind'], digest: ref.digest, text };
  });
  return decode({ schema: head.schema, digest: head.digest, chunks });
}

/**
 * Checks after every write: a head names only chunks that are there and are what their names say, sequences and epochs
 * never fall, and one sequence never stands for two models. Returns what was broken, in words.
 */
export function watchLaws(api: FakeApi): readonly string[] {
  const broken: string[] = [];
  const digests = new Map<number, string>();
  let highest = { epoch: 0, sequence: 0 };
  api.onChange = () => {
    const head = storedHead(api);
    if (head === undefined) return;
    for (const ref of [...head.chunks, ...head.claims]) {
      const text = chunkText(api, ref);
      if (text === undefined)
        broken.push(`revision ${head.sequence} names ${chunkName(ref)}, which is not there`);
      else if (digestOf(text) !== ref.digest) broken.push(`${chunkName(ref)} has other content`);
    }
    if (head.epoch < highest.epoch) broken.push(`epoch ${head.epoch} after ${highest.epoch}`);
    if (head.sequence < highest.sequence) broken.push(`revision ${head.sequence} after ${highest.sequence}`);
    const known = digests.get(head.sequence) ?? head.digest;
    if (known !== head.digest) broken.push(`revision ${head.sequence} stands for two models`);
    digests.set(head.sequence, head.digest);
    highest = head;
  };
  return broken;
}
