// A leader's publisher over a store in memory, and what its tests publish.
import assert from 'node:assert/strict';
import { ClusterObjects } from '#cluster/objects.ts';
import { ApiClient } from '#kube/api-client.ts';
import type { Bundle } from '#model/bundle.ts';
import { chunkName } from '#model/chunk.ts';
import { encodeHead } from '#model/head.ts';
import type { Head } from '#model/head.ts';
import type { LedgerEntry } from '#model/claims-ledger.ts';
import { headKey, headName } from '#model/wire-names.ts';
import { Publisher } from '#operator/publisher.ts';
import type { Inventory, Legacy } from '#operator/publisher.ts';
import { FakeApi } from '../kube/fake-api.ts';
import { bundleOf, chunkNames, configMaps, inventoryOf, namespace, storedHead } from './published.ts';

export function claim(host: string, owner = 'x'): LedgerEntry {
  return { host, namespace: owner, since: '2026-01-01T00:00:00Z' };
}

export const claims = [claim('a.test')];
export const moreClaims = [claim('a.test'), claim('b.test')];
export const first = bundleOf(1);
export const second = bundleOf(2);

/** A leader's publisher, and how it sees the store: in step with it unless told otherwise. */
export class Leader {
  isLeading = true;
  readonly repairs: string[] = [];
  readonly publisher: Publisher;
  readonly #api: FakeApi;

  constructor(api: FakeApi, term = 1) {
    this.#api = api;
    this.publisher = new Publisher({
      objects: new ClusterObjects(new ApiClient(api)),
      namespace,
      term,
      isLeading: () => this.isLeading,
      onRepair: (message) => this.repairs.push(message),
      signal: new AbortController().signal,
    });
  }

  takeOver(): Promise<Legacy> {
    return this.publisher.takeOver(async () => chunkNames(this.#api));
  }

  ensure(bundle: Bundle, options: Partial<EnsureOptions> = {}): Promise<Head> {
    const { ledger = claims, beyond = 0, inventory = inventoryOf(this.#api) } = options;
    return this.publisher.ensure({ bundle, claims: ledger, beyond }, inventory);
  }

  /** Collects every chunk that the present head does not name. */
  async collect(): Promise<void> {
    const { head } = this.publisher;
    const named = new Set([...(head?.chunks ?? []), ...(head?.claims ?? [])].map(chunkName));
    const inventory = inventoryOf(this.#api);
    await this.publisher.collect(
      chunkNames(this.#api).filter((name) => !named.has(name)),
      inventory,
    );
  }
}

interface EnsureOptions {
  readonly ledger: readonly LedgerEntry[];
  readonly beyond: number;
  readonly inventory: Inventory;
}

export async function leaderOf(api: FakeApi): Promise<Leader> {
  const leader = new Leader(api);
  await leader.takeOver();
  return leader;
}

/** A store with `first` published in it by a leader that has seen its own chunks since. */
export async function published(): Promise<{ readonly api: FakeApi; readonly leader: Leader }> {
  const api = new FakeApi();
  const leader = await leaderOf(api);
  await leader.ensure(first);
  await leader.ensure(first);
  api.writes.length = 0;
  return { api, leader };
}

export const nothing: Inventory = { head: undefined, chunks: [] };

export function chunkOf(bundle: Bundle, kind: string): string {
  const chunk = bundle.chunks.find((each) => each.kind === kind);
  assert.ok(chunk !== undefined);
  return chunkName(chunk);
}

export function headWith(api: FakeApi, change: Partial<Head>): string {
  const head = storedHead(api);
  assert.ok(head !== undefined);
  return encodeHead({ ...head, ...change });
}

export function editHead(api: FakeApi, text: string): void {
  api.edit(configMaps, headName, (head) => ({ ...head, data: { [headKey]: text } }));
}
