// What the main thread keeps of a model: texts that all threads read, and what holds for the table as a whole.
import type { ChunkContent, Refused } from '#model/chunk-reader.ts';
import { refused } from '#model/chunk-reader.ts';
import type { Chunk, ChunkRef } from '#model/chunk.ts';
import { defaultSettings } from '#model/default-settings.ts';
import { ModelReader } from '#model/model-reader.ts';
import type { HeldChunk } from '#model/held-chunks.ts';
import type { Delivery, Kept, ModelChange } from '#model/model-reader.ts';
import { hostKey } from '#model/route-model.ts';
import type { Upstream } from '#model/route-model.ts';
import { compareText } from '#model/text-order.ts';
import { CompiledHost } from '#route/compiled-host.ts';
import { CompiledRoute } from '#route/compiled-route.ts';
import type { CheckedUpstream } from './checked-group.ts';
import { checkedUpstreams } from './checked-group.ts';
import { writeHost } from './host-text.ts';
import { KeptBlock, KeptContent } from './kept-chunk.ts';
import type { BlockFacts, CertificateFacts, KeptChunk } from './kept-chunk.ts';
import { writePair } from './pair-text.ts';
import type { NamedUpstream } from './name-resolver.ts';
import type { RouteChange } from './route-slots.ts';
import { SlabWriter } from './slabs.ts';
import type { Entry } from './slabs.ts';
import type { IndexSize } from './staged-index.ts';
import type { TableBlock, TableSizes, TableState } from './table-state.ts';
import { writeUpstream } from './upstream-text.ts';

export type TableChange = ModelChange<KeptChunk>;

export interface Taken {
  readonly state: TableState;
  readonly routes: RouteChange;
}

export class TableStore {
  readonly #nodeName: string;
  readonly #writer = new SlabWriter();
  readonly #reader = new ModelReader<KeptChunk>({
    keep: (content) => this.#keep(content),
    forget: (kept) => this.#forget(kept),
  });
  readonly #chunks = new Set<KeptBlock>();
  #settings = defaultSettings;
  #wildcards = 0;
  #secured = 0;
  #zone = '';
  #sessionKey = '';
  readonly #named = new Map<string, NamedUpstream>();
  readonly #checked = new Map<string, CheckedUpstream>();

  get sizes(): TableSizes {
    const [hosts, upstreams, certificates] = (['hosts', 'upstreams', 'certificates'] as const).map((kind) =>
      this.#reader.size(kind),
    ) as [IndexSize, IndexSize, IndexSize];
    return { hosts, upstreams, certificates };
  }

  /** Upstreams whose endpoints are the addresses of a DNS name. */
  get named(): readonly NamedUpstream[] {
    return [...this.#named.values()];
  }

  /** Upstreams whose endpoints are checked. */
  get checked(): readonly CheckedUpstream[] {
    return [...this.#checked.values()];
  }

  /** Sorted by id. */
  get certificates(): readonly CertificateFacts[] {
    return [...this.#chunks]
      .flatMap(({ certificates }) => certificates)
      .sort((a, b) => compareText(a.id, b.id));
  }

  /** `nodeName`: of the node that this process runs on; empty: nobody knows. */
  constructor(nodeName = '') {
    this.#nodeName = nodeName;
  }

  /** The chunks of a bundle that are to be offered, or to come with it. */
  missing(schema: number, refs: readonly ChunkRef[]): readonly ChunkRef[] {
    return this.#reader.missing(schema, refs);
  }

  offer(chunk: Chunk): Refused | undefined {
    return this.#reader.offer(chunk);
  }

  /** Proves that workers can compile what is new. Changes nothing. */
  read(delivery: Delivery): TableChange | Refused {
    return this.#reader.read(delivery);
  }

  /** Makes what was just read the present table. */
  take(change: TableChange, revision: number): Taken {
    const removed = blocksOf(change.removed);
    const added = blocksOf(change.added);
    const routes = {
      added: change.added.flatMap(({ value }) => value.objectIds()),
      removed: change.removed.flatMap(({ value }) => value.objectIds()),
    };
    for (const { wildcards, secured } of added) {
      this.#wildcards += wildcards;
      this.#secured += secured;
    }
    for (const { wildcards, secured } of removed) {
      this.#wildcards -= wildcards;
      this.#secured -= secured;
    }
    this.#reader.take(change);
    for (const kept of added) {
      this.#chunks.add(kept);
      kept.settle();
    }
    for (const { id } of removed.flatMap(({ named }) => named)) this.#named.delete(id);
    for (const named of added.flatMap((kept) => kept.named)) this.#named.set(named.id, named);
    for (const { id } of removed.flatMap(({ checked }) => checked)) this.#checked.delete(id);
    for (const checked of added.flatMap((kept) => kept.checked)) this.#checked.set(checked.id, checked);
    for (const kept of removed) {
      this.#chunks.delete(kept);
      this.#writer.release(kept.block);
    }
    for (const { value } of change.added) if (value.kind === 'Content') this.#takeContent(value.content);
    this.#clearSlabs();
    const head = {
      revision,
      settings: this.#settings,
      hasWildcards: this.#wildcards > 0,
      hasSecuredUpstreams: this.#secured > 0,
      zone: this.#zone,
      sessionKey: this.#sessionKey,
    };
    const blocks = new Set([...this.#chunks].map(({ block }) => block));
    const named = new Set(this.#named.keys());
    return { state: { head, slabs: this.#writer.memories, blocks, sizes: this.sizes, named }, routes };
  }

  #takeContent(content: ChunkContent): void {
    if (content.kind === 'settings') this.#settings = content.settings;
    if (content.kind === 'zones')
      this.#zone = content.zones.find(({ node }) => node === this.#nodeName)?.zone ?? '';
    if (content.kind === 'keys')
      this.#sessionKey = content.keys.find(({ id }) => id === 'session')?.key.reveal() ?? '';
  }

  #keep(content: ChunkContent): Kept<KeptChunk> | Refused {
    const fault = compileFault(content);
    return fault === undefined
      ? { kind: 'Kept', value: this.#remainsOf(content) }
      : refused('Malformed', fault);
  }

  #remainsOf(content: ChunkContent): KeptChunk {
    switch (content.kind) {
      case 'hosts': {
        const entries = content.hosts.map((host) => ({
          key: hostKey(host.pattern),
          text: writeHost(host),
        }));
        const wildcards = content.hosts.filter(({ pattern }) => pattern.kind === 'Wildcard').length;
        return this.#write(content, entries, { wildcards });
      }
      case 'upstreams': {
        const entries = content.upstreams.map((upstream) => ({
          key: upstream.id,
          text: writeUpstream(upstream),
        }));
        const named = content.upstreams.flatMap(namedUpstreams);
        const checked = content.upstreams.flatMap(checkedUpstreams);
        const secured = content.upstreams.filter(({ tls }) => tls.kind !== 'None').length;
        return this.#write(content, entries, { named, checked, secured });
      }
      case 'certificates': {
        // A pair is one text: there is no moment with a chain of one and the key of another.
        const entries = content.certificates.map((certificate) => ({
          key: certificate.id,
          text: writePair(certificate),
        }));
        const certificates = content.certificates.map(({ chain: _chain, key: _key, ...facts }) => facts);
        return this.#write(content, entries, { certificates });
      }
      case 'settings':
      case 'zones':
      case 'keys':
        return new KeptContent(content);
    }
  }

  #write(
    content: ChunkContent & { readonly kind: TableBlock['kind'] },
    entries: readonly Entry[],
    facts: BlockFacts,
  ): KeptBlock {
    const block = { kind: content.kind, ...this.#writer.write(entries) };
    return new KeptBlock(block, facts, content, this.#writer.reader);
  }

  /** It was never taken. */
  #forget(kept: KeptChunk): void {
    if (kept.kind === 'Block') this.#writer.release(kept.block);
  }

  /** So that what is left of many chunks does not hold the memory of those that went. */
  #clearSlabs(): void {
    for (const kept of this.#chunks)
      if (this.#writer.isSparse(kept.block.slab))
        kept.block = { kind: kept.block.kind, ...this.#writer.move(kept.block) };
  }
}

function namedUpstreams({ id, discovery }: Upstream): readonly NamedUpstream[] {
  if (discovery.kind === 'Endpoints') return [];
  const { name, port, allowed } = discovery;
  return [{ id, name, port, allowed }];
}

function blocksOf(chunks: readonly HeldChunk<KeptChunk>[]): readonly KeptBlock[] {
  return chunks.flatMap(({ value }) => (value.kind === 'Block' ? [value] : []));
}

/** Here, on the thread that serves nobody. */
function compileFault(content: ChunkContent): string | undefined {
  try {
    if (content.kind === 'hosts') for (const host of content.hosts) void new CompiledHost(host);
    if (content.kind === 'settings' && content.settings.fallback.kind === 'Rule')
      void new CompiledRoute(content.settings.fallback.rule);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
