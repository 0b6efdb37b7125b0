// One revision as its blocks, and what has to be said to turn one such state into another.
import type { Settings } from '#model/route-model.ts';
import type { SlabRange } from './slabs.ts';
import type { IndexSize } from './staged-index.ts';

/** Values of one chunk. */
export interface TableBlock extends SlabRange {
  readonly kind: 'hosts' | 'upstreams' | 'certificates';
}

/** What holds for a table as a whole. */
export interface TableHead {
  readonly revision: number;
  readonly settings: Settings;
  /** Some host has a wildcard: those that have no exact one are worth a search. */
  readonly hasWildcards: boolean;
  /** Some upstream has TLS. */
  readonly hasSecuredUpstreams: boolean;
  /** Where this process runs; empty: nobody knows, or it does not matter to any endpoint. */
  readonly zone: string;
  /** By which sessions are signed, in base64; empty until some rule has any. */
  readonly sessionKey: string;
}

export type TableSizes = Readonly<Record<TableBlock['kind'], IndexSize>>;

export interface TableState {
  readonly head: TableHead;
  /** By number. */
  readonly slabs: ReadonlyMap<number, SharedArrayBuffer>;
  readonly blocks: ReadonlySet<TableBlock>;
  readonly sizes: TableSizes;
  /** Ids of the upstreams whose endpoints are what DNS says. */
  readonly named: ReadonlySet<string>;
}

export interface Piece {
  /** Of the table that they lead to. */
  readonly sizes: TableSizes;
  /** New ones, which its blocks are in. */
  readonly slabs: readonly (readonly [number, SharedArrayBuffer])[];
  readonly added: readonly TableBlock[];
  readonly removed: readonly TableBlock[];
}

/** To find the keys of as much keeps a worker from its sockets for a fraction of a millisecond. */
const pieceBytes = 131_072;

/**
 * The changes from one state to the next, cut into pieces; the last one, which may be empty, comes with the flip. Added
 * blocks first: nothing is removed of a key that stands in another block by then.
 */
export function piecesBetween(from: TableState | undefined, to: TableState): readonly Piece[] {
  const pieces: Piece[] = [];
  const { sizes } = to;
  let slabs = [...to.slabs].filter(([slab]) => from?.slabs.has(slab) !== true);
  let added: TableBlock[] = [];
  let removed: TableBlock[] = [];
  let bytes = 0;
  const put = (block: TableBlock, list: TableBlock[]): void => {
    list.push(block);
    bytes += block.end - block.start;
    if (bytes < pieceBytes) return;
    pieces.push({ sizes, slabs, added, removed });
    [slabs, added, removed, bytes] = [[], [], [], 0];
  };
  for (const block of to.blocks) if (from?.blocks.has(block) !== true) put(block, added);
  for (const block of from?.blocks ?? []) if (!to.blocks.has(block)) put(block, removed);
  return [...pieces, { sizes, slabs, added, removed }];
}

/** What means nothing any more once a table holds. */
export interface Gone {
  readonly goneSlabs: readonly number[];
  /** Ids of upstreams for which DNS was asked. */
  readonly goneNames: readonly string[];
}

export function goneBetween(from: TableState | undefined, to: TableState): Gone {
  return {
    goneSlabs: [...(from?.slabs.keys() ?? [])].filter((slab) => !to.slabs.has(slab)),
    goneNames: [...(from?.named ?? [])].filter((id) => !to.named.has(id)),
  };
}
