// Bundles whose digests are right whatever their chunks say: what a faulty writer with a sound digest would publish.
import type { Bundle } from '#model/bundle.ts';
import { chunkName } from '#model/chunk.ts';
import type { Chunk, StoredChunk, StoredKind } from '#model/chunk.ts';
import { canonicalJson, digestOf } from '#model/canonical-json.ts';

/** The bundle of these chunks, by the rule that the head follows. */
export function sealed(schema: number, chunks: readonly Chunk[]): Bundle {
  const names = chunks.map(chunkName).sort();
  return { schema, digest: digestOf(canonicalJson([schema, ...names])), chunks };
}

/** Nothing but what travels: a chunk of an encoder remembers what it was made of. */
export function plainChunk<Kind extends StoredKind>(chunk: StoredChunk<Kind>): StoredChunk<Kind> {
  const { kind, digest, text } = chunk;
  return { kind, digest, text };
}

export function plainBundle({ schema, digest, chunks }: Bundle): Bundle {
  return { schema, digest, chunks: chunks.map(plainChunk) };
}

/** The same chunk with another text and the digest of it. */
export function withText<Kind extends StoredKind>(
  { kind }: StoredChunk<Kind>,
  text: string,
): StoredChunk<Kind> {
  return { kind, digest: digestOf(text), text };
}

/** The same bundle with chunk `index` of another text, all digests made right. */
export function resealed(bundle: Bundle, index: number, textOf: (text: string) => string): Bundle {
  const chunks = bundle.chunks.map((chunk, at) =>
    at === index ? withText(chunk, textOf(chunk.text)) : chunk,
  );
  return sealed(bundle.schema, chunks);
}
