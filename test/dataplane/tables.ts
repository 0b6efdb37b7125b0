// Tables as a data plane makes them of whole bundles, and as one of its threads serves them.
import assert from 'node:assert/strict';
import { LiveTable } from '#dataplane/live-table.ts';
import type { TableBounds, TlsTerms } from '#dataplane/live-table.ts';
import { goneBetween, piecesBetween } from '#dataplane/table-state.ts';
import type { TableState } from '#dataplane/table-state.ts';
import type { TableStore, Taken } from '#dataplane/table-store.ts';
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import type { RouteModel } from '#model/route-model.ts';
import type { ServingTable } from '#proxy/serving-table.ts';

export function take(store: TableStore, model: RouteModel, revision: number): Taken {
  return takeBundle(store, encode(model), revision);
}

export function takeBundle(store: TableStore, bundle: Bundle, revision: number): Taken {
  const change = store.read(bundle);
  assert.ok(change.kind === 'Changed', JSON.stringify(change));
  return store.take(change, revision);
}

/** Does what a worker is told, in this thread. */
export class TableThread {
  readonly #table: LiveTable;
  #state: TableState | undefined = undefined;

  constructor(bounds?: TableBounds, tls?: TlsTerms) {
    this.#table = new LiveTable(bounds, tls);
  }

  /** Everything but the flip. */
  stage(to: TableState): void {
    for (const piece of piecesBetween(this.#state, to)) this.#table.stage(piece);
  }

  flip(to: TableState): ServingTable {
    const serving = this.#table.flip(to.head, goneBetween(this.#state, to));
    this.#state = to;
    return serving;
  }

  setUnwell(upstream: string, ...keys: readonly string[]): void {
    this.#table.setUnwell(upstream, keys);
  }

  bring(to: TableState): ServingTable {
    this.stage(to);
    return this.flip(to);
  }
}

/** A flip leaves what is gone to the turns after it: so many that everything is done. */
export async function tidied(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
