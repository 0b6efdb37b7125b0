// How a model travels: content-addressed chunks, and a digest of their names that stands for the whole.
//
//   hosts, upstreams, certificates, keys -> buckets by hash of their key --\
//   settings, zones ----------------------> one chunk each ------------------> chunks {kind, digest, text} -> digest
import { Buckets } from './buckets.ts';
import { canonicalJson, digestOf } from './canonical-json.ts';
import { chunkName, chunkOf } from './chunk.ts';
import type { Chunk, ChunkKind, ChunkRef, StoredChunk } from './chunk.ts';
import { hostKey } from './route-model.ts';
import type {
  Certificate,
  NodeZone,
  RouteModel,
  Settings,
  SigningKey,
  Upstream,
  VirtualHost,
} from './route-model.ts';
import type { SecretText } from './secret-text.ts';
import { newestSchema } from './route-model-schema.ts';
import { compareText } from './text-order.ts';
import { writeUpstream } from './upstream-form.ts';

export interface Bundle {
  readonly schema: number;
  /** Names the whole model: equal digests, equal models. */
  readonly digest: string;
  readonly chunks: readonly Chunk[];
}

/** Encodes one model after another; what stayed the same between two costs next to nothing, and does not show. */
export class BundleEncoder {
  readonly #hosts = new Buckets<'hosts', VirtualHost>('hosts', {
    keyOf: ({ pattern }) => hostKey(pattern),
    textOf: canonicalJson,
  });
  readonly #upstreams = new Buckets<'upstreams', Upstream>('upstreams', {
    keyOf: ({ id }) => id,
    textOf: writeUpstream,
  });
  /** As schemas 1 and 2 have them. */
  readonly #upstreamsAtLength = new Buckets<'upstreams', Upstream>('upstreams', {
    keyOf: ({ id }) => id,
    textOf: canonicalJson,
  });
  readonly #certificates = new Buckets<'certificates', Certificate>('certificates', {
    keyOf: ({ id }) => id,
    textOf: revealedText,
  });
  readonly #keys = new Buckets<'keys', SigningKey>('keys', {
    keyOf: ({ id }) => id,
    textOf: revealedText,
  });
  readonly #singles = new Map<ChunkKind, { readonly value: unknown; readonly chunk: Chunk }>();

  /**
   * `schema`: one that can say the whole model (schema-fit.ts); only from 3 on are there zones and certificates, from 5 on keys.
   * Throws only if a host or upstream breaks the limits of limits.ts, which translation keeps.
   */
  encode(model: RouteModel, schema: number = newestSchema): Bundle {
    const chunks: Chunk[] = [
      this.#single('settings', model.settings),
      ...this.#hosts.chunksOf(model.hosts),
      ...(schema >= 3 ? this.#upstreams : this.#upstreamsAtLength).chunksOf(model.upstreams),
    ];
    if (schema >= 3)
      chunks.push(this.#single('zones', model.zones), ...this.#certificates.chunksOf(model.certificates));
    if (schema >= 5) chunks.push(...this.#keys.chunksOf(model.keys));
    return { schema, digest: bundleDigest(schema, chunks), chunks };
  }

  #single<Kind extends 'settings' | 'zones'>(
    kind: Kind,
    value: Settings | readonly NodeZone[],
  ): StoredChunk<Kind> {
    const known = this.#singles.get(kind);
    if (known?.value === value) return known.chunk as StoredChunk<Kind>;
    const sorted = Array.isArray(value)
      ? (value as readonly NodeZone[]).toSorted((a, b) => compareText(a.node, b.node))
      : value;
    const chunk = chunkOf(kind, canonicalJson(sorted));
    this.#singles.set(kind, { value, chunk });
    return chunk;
  }
}

/** The one place where a key is written out, on its way into a Secret. */
function revealedText(secret: { readonly key: SecretText }): string {
  return canonicalJson({ ...secret, key: secret.key.reveal() });
}

/** One model by itself. */
export function encode(model: RouteModel, schema: number = newestSchema): Bundle {
  return new BundleEncoder().encode(model, schema);
}

export function bundleDigest(schema: number, chunks: readonly ChunkRef[]): string {
  return digestOf(canonicalJson([schema, ...chunks.map(chunkName).sort()]));
}
