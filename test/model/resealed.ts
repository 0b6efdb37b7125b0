// Bundles whose digests are right whatever their chunks say: what a faulty writer with a sound digest would publish.
import type { Bundle, Chunk } from '#model/bundle.ts';
import { chunkName } from '#model/head.ts';
import { canonicalJson, digestOf } from '#model/canonical-json.ts';

/** The bundle of these chunks, by the rule that the head follows. */
export function sealed(schema: number, chunks: readonly Chunk[]): Bundle {
  const names = chunks.map(chunkName).sort();
  return { schema, digest: digestOf(canonicalJson([schema, ...names])), chunks };
}

/** The same chunk with another text and the digest of it. */
export function withText(chunk: Chunk, text: string): Chunk {
  return { ...chunk, text, digest: digestOf(text) };
}

/** The same bundle with chunk `index` of another text, all digests made right. */
export function resealed(bundle: Bundle, index: number, textOf: (text: string) => string): Bundle {
  const chunks = bundle.chunks.map((chunk, at) =>
    at === index ? withText(chunk, textOf(chunk.text)) : chunk,
  );
  return sealed(bundle.schema, chunks);
}
