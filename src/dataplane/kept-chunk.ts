// What the main thread keeps of one chunk: values of which there are many as texts in shared memory, the others as they are.
import type { ChunkContent } from '#model/chunk-reader.ts';
import type { Remains } from '#model/held-chunks.ts';
import { hostReferences, keysOf, referencesOf } from '#model/references.ts';
import type { References } from '#model/references.ts';
import type { Certificate, Rule, VirtualHost } from '#model/route-model.ts';
import { readText } from '#model/text-numbers.ts';
import type { CheckedUpstream } from './checked-group.ts';
import { readHost } from './host-text.ts';
import type { NamedUpstream } from './name-resolver.ts';
import type { SlabReader } from './slabs.ts';
import type { TableBlock } from './table-state.ts';

export type KeptChunk = KeptBlock | KeptContent;

/** Settings, zones, keys. */
export class KeptContent implements Remains {
  readonly kind = 'Content';
  readonly content: ChunkContent;

  constructor(content: ChunkContent) {
    this.content = content;
  }

  keys(): readonly string[] {
    return keysOf(this.content);
  }

  references(): readonly References[] {
    return referencesOf(this.content);
  }

  /** Of the fallback, if there is one. */
  objectIds(): readonly string[] {
    if (this.content.kind !== 'settings') return [];
    const { fallback } = this.content.settings;
    return fallback.kind === 'NotFound' ? [] : [objectIdOf(fallback.rule)];
  }
}

/** All but the pair. */
export type CertificateFacts = Omit<Certificate, 'chain' | 'key'>;

/** What the main thread has to know of a block without reading it. */
export interface BlockFacts {
  readonly wildcards?: number;
  readonly named?: readonly NamedUpstream[];
  readonly checked?: readonly CheckedUpstream[];
  readonly secured?: number;
  readonly certificates?: readonly CertificateFacts[];
}

interface Fresh {
  readonly keys: readonly string[];
  readonly references: readonly References[];
  readonly objectIds: readonly string[];
}

/** Hosts, upstreams or certificates. */
export class KeptBlock implements Remains {
  readonly kind = 'Block';
  /** Another one, with the same values, when its slab is cleared. */
  block: TableBlock;
  readonly #slabs: SlabReader;

  /** How many of them are hosts with a wildcard. */
  readonly wildcards: number;
  /** Those that are upstreams of a DNS name. */
  readonly named: readonly NamedUpstream[];
  /** Those that are upstreams whose endpoints are checked. */
  readonly checked: readonly CheckedUpstream[];
  /** How many of them are upstreams with TLS. */
  readonly secured: number;

  /** What may be known of those that are certificates. */
  readonly certificates: readonly CertificateFacts[];
  /** Until it is taken: what is asked for several times by then, and is in a text from then on. */
  #fresh: Fresh | undefined;

  constructor(
    block: TableBlock,
    { wildcards = 0, named = [], checked = [], secured = 0, certificates = [] }: BlockFacts,
    content: ChunkContent,
    slabs: SlabReader,
  ) {
    this.block = block;
    this.wildcards = wildcards;
    this.named = named;
    this.checked = checked;
    this.secured = secured;
    this.certificates = certificates;
    this.#slabs = slabs;
    this.#fresh = {
      keys: keysOf(content),
      references: referencesOf(content),
      objectIds: content.kind === 'hosts' ? objectIdsOf(content.hosts) : [],
    };
  }

  /** It is a part of the table: its text is enough from now on. */
  settle(): void {
    this.#fresh = undefined;
  }

  keys(): readonly string[] {
    if (this.#fresh !== undefined) return this.#fresh.keys;
    const keys: string[] = [];
    this.#slabs.each(this.block, (_, key) => keys.push(readText(key)));
    return keys;
  }

  references(): readonly References[] {
    return this.#fresh?.references ?? this.#hosts().map(hostReferences);
  }

  /** Of all objects that have a rule here. */
  objectIds(): readonly string[] {
    return this.#fresh?.objectIds ?? objectIdsOf(this.#hosts());
  }

  #hosts(): readonly VirtualHost[] {
    if (this.block.kind !== 'hosts') return [];
    const hosts: VirtualHost[] = [];
    this.#slabs.each(this.block, (place, key) => {
      hosts.push(readHost(readText(key), this.#slabs.textAt(place)));
    });
    return hosts;
  }
}

function objectIdsOf(hosts: readonly VirtualHost[]): readonly string[] {
  return [...new Set(hosts.flatMap(({ rules }) => rules.map(objectIdOf)))];
}

function objectIdOf({ ref }: Rule): string {
  return `${ref.namespace}/${ref.name}`;
}
