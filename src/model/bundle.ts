// How a model travels: content-addressed chunks, and a head that names them.
//
//   hosts ----> buckets by hash of the host ----\
//   upstreams -> buckets by hash of the id -------> chunks {kind, digest, text} -> digest of their names
//   settings -> one chunk ----------------------/
//
// Buckets split by one more bit of the hash whenever they outgrow bucketBytes. A bucket's place therefore depends on
// its own content alone: one endpoint that changes rewrites one small chunk, never its neighbours.
import { canonicalJson, digestOf, parseJson } from './canonical-json.ts';
import { filterOrder } from './filters.ts';
import type { Filter } from './filters.ts';
import { chunkName } from './head.ts';
import type { StoredKind } from './head.ts';
import { bucketBytes, chunkBytes } from './limits.ts';
import { hostKey } from './route-model.ts';
import type { RouteModel, Settings, Upstream, VirtualHost } from './route-model.ts';
import { chunkValidators, schemaNumbers, validationMessage } from './route-model-schema.ts';

export type ChunkKind = 'settings' | 'hosts' | 'upstreams';

export interface StoredChunk<Kind extends StoredKind = StoredKind> {
  readonly kind: Kind;
  /** SHA-256 of `text`. */
  readonly digest: string;
  /** Canonical JSON: Settings, VirtualHost[], Upstream[] or LedgerEntry[]. */
  readonly text: string;
}

export type Chunk = StoredChunk<ChunkKind>;

export interface Bundle {
  readonly schema: number;
  /** Names the whole model: equal digests, equal models. */
  readonly digest: string;
  readonly chunks: readonly Chunk[];
}

export type Refusal = 'UnknownSchema' | 'DigestMismatch' | 'TooLarge' | 'Malformed' | 'ChunkMissing';

export type Decoded =
  | { readonly kind: 'Decoded'; readonly model: RouteModel }
  | { readonly kind: 'Refused'; readonly refusal: Refusal; readonly message: string };

/** Throws only if a host or upstream breaks the limits of limits.ts, which translation keeps. */
export function encode(model: RouteModel): Bundle {
  const chunks = [
    chunkOf('settings', canonicalJson(model.settings)),
    ...bucketChunks('hosts', model.hosts, (host) => hostKey(host.pattern)),
    ...bucketChunks('upstreams', model.upstreams, (upstream) => upstream.id),
  ];
  const schema = schemaFor(model);
  return { schema, digest: bundleDigest(schema, chunks), chunks };
}

/**
 * The lowest number whose readers understand the model: a reader of an older build follows on until somebody uses
 * what it cannot do. What it would ignore unharmed (an empty list of filters) may stand in a lower one.
 */
function schemaFor({ hosts }: RouteModel): number {
  return hosts.some((host) => host.rules.some((rule) => rule.filters.length > 0)) ? 2 : 1;
}

/** Total: any bundle, however broken, gives a model that encode could have made, or a refusal. */
export function decode(bundle: Bundle): Decoded {
  if (!schemaNumbers.includes(bundle.schema))
    return refused('UnknownSchema', `schema ${String(bundle.schema)} is none of ${schemaNumbers.join(', ')}`);
  let settings: Settings | undefined;
  const hosts: VirtualHost[] = [];
  const upstreams: Upstream[] = [];
  for (const chunk of bundle.chunks) {
    const decoded = decodeChunk(chunk, bundle.schema);
    if (decoded.kind === 'Refused') return decoded;
    // ajv has proved the shape, kind by kind.
    switch (chunk.kind) {
      case 'settings':
        if (settings !== undefined) return refused('Malformed', 'there are two settings chunks');
        settings = decoded.content as Settings;
        break;
      case 'hosts':
        for (const host of decoded.content as readonly VirtualHost[]) hosts.push(host);
        break;
      case 'upstreams':
        for (const upstream of decoded.content as readonly Upstream[]) upstreams.push(upstream);
        break;
    }
  }
  if (bundleDigest(bundle.schema, bundle.chunks) !== bundle.digest)
    return refused('DigestMismatch', 'the chunks are not those that the head names');
  if (settings === undefined) return refused('Malformed', 'there is no settings chunk');
  hosts.sort((a, b) => compareText(hostKey(a.pattern), hostKey(b.pattern)));
  upstreams.sort((a, b) => compareText(a.id, b.id));
  const model: RouteModel = { settings, hosts, upstreams };
  const fault = referenceFault(model);
  return fault === undefined ? { kind: 'Decoded', model } : refused('Malformed', fault);
}

type DecodedChunk =
  | { readonly kind: 'Content'; readonly content: unknown }
  | Extract<Decoded, { readonly kind: 'Refused' }>;

/**
 * Contents that were proved right, by chunk object: a revision changes few chunks, and hashing, parsing and validating
 * the others again would cost a reader the size of the model for every endpoint that moves.
 */
const proved = new WeakMap<Chunk, { readonly schema: number; readonly decoded: DecodedChunk }>();

function decodeChunk(chunk: Chunk, schema: number): DecodedChunk {
  const known = proved.get(chunk);
  if (known?.schema === schema) return known.decoded;
  const place = `chunk ${chunk.kind} ${chunk.digest.slice(0, 12)}`;
  if (Buffer.byteLength(chunk.text) > chunkBytes) return refused('TooLarge', `${place} is too large`);
  if (digestOf(chunk.text) !== chunk.digest) return refused('DigestMismatch', `${place} has other content`);
  const content = parseJson(chunk.text);
  const validate = chunkValidators.get(schema)?.get(chunk.kind);
  if (validate === undefined) return refused('Malformed', `${place} is of an unknown kind`);
  if (!validate(content)) return refused('Malformed', `${place}: ${validationMessage(validate)}`);
  const current = schema === 1 && chunk.kind === 'hosts' ? withoutFilters(content as VirtualHost[]) : content;
  const decoded: DecodedChunk = { kind: 'Content', content: current };
  proved.set(chunk, { schema, decoded });
  return decoded;
}

/** The rules of schema 1 know no filters, whatever may stand there. */
function withoutFilters(hosts: readonly VirtualHost[]): readonly VirtualHost[] {
  return hosts.map((host) => ({ ...host, rules: host.rules.map((rule) => ({ ...rule, filters: [] })) }));
}

/** By UTF-16 code unit, the order of every sorted list in a model. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

interface Entry {
  readonly key: string;
  readonly hash: string;
  readonly text: string;
}

/** Values in buckets by the hash of their key, as chunks: a bucket's place depends on its own content alone. */
export function bucketChunks<Kind extends StoredKind, T>(
  kind: Kind,
  values: readonly T[],
  keyOf: (value: T) => string,
): StoredChunk<Kind>[] {
  const entries = values.map((value) => {
    const key = keyOf(value);
    return { key, hash: bits(digestOf(key)), text: canonicalJson(value) };
  });
  return split(entries, 0).map((bucket) => {
    bucket.sort((a, b) => compareText(a.key, b.key));
    return chunkOf(kind, `[${bucket.map((entry) => entry.text).join(',')}]`);
  });
}

function split(entries: Entry[], depth: number): Entry[][] {
  if (entries.length === 0) return [];
  const bytes = entries.reduce((sum, entry) => sum + Buffer.byteLength(entry.text) + 1, 1);
  if (entries.length === 1 || bytes <= bucketBytes || depth === 32) return [entries];
  return [
    ...split(
      entries.filter((entry) => entry.hash[depth] === '0'),
      depth + 1,
    ),
    ...split(
      entries.filter((entry) => entry.hash[depth] === '1'),
      depth + 1,
    ),
  ];
}

/** The first 32 bits of a hex digest, as a string of 0 and 1. */
function bits(hex: string): string {
  return Number.parseInt(hex.slice(0, 8), 16).toString(2).padStart(32, '0');
}

function chunkOf<Kind extends StoredKind>(kind: Kind, text: string): StoredChunk<Kind> {
  const bytes = Buffer.byteLength(text);
  if (bytes > chunkBytes) throw new RangeError(`a ${kind} chunk of ${bytes} bytes exceeds ${chunkBytes}`);
  return { kind, digest: digestOf(text), text };
}

function bundleDigest(schema: number, chunks: readonly Chunk[]): string {
  const names = chunks.map(chunkName).sort();
  return digestOf(canonicalJson([schema, ...names]));
}

/** What a schema cannot say: keys are unique, and every backend leads to an upstream of this model. */
function referenceFault(model: RouteModel): string | undefined {
  const keys = new Set(model.hosts.map((host) => hostKey(host.pattern)));
  if (keys.size !== model.hosts.length) return 'a host stands twice';
  const ids = new Set(model.upstreams.map((upstream) => upstream.id));
  if (ids.size !== model.upstreams.length) return 'an upstream stands twice';
  for (const host of model.hosts)
    for (const rule of host.rules) {
      for (const backend of rule.backends)
        if (backend.kind === 'Upstream' && !ids.has(backend.upstream))
          return `host ${hostKey(host.pattern)} refers to the unknown upstream ${backend.upstream}`;
      if (!isInFilterOrder(rule.filters))
        return `host ${hostKey(host.pattern)} has filters twice or out of order`;
    }
  return undefined;
}

function isInFilterOrder(filters: readonly Filter[]): boolean {
  return filters.every(
    ({ kind }, index) =>
      index === 0 || filterOrder.indexOf(kind) > filterOrder.indexOf(filters[index - 1]?.kind ?? kind),
  );
}

function refused(refusal: Refusal, message: string): Extract<Decoded, { readonly kind: 'Refused' }> {
  return { kind: 'Refused', refusal, message };
}
