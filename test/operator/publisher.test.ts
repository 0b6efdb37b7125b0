// The stored bundle is whole at every moment, whoever dies, interferes or leads too long, and it ends as what is wanted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterObjects } from '#cluster/objects.ts';
import { ApiClient } from '#kube/api-client.ts';
import { compareText } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import { encodeClaims } from '#model/claims-ledger.ts';
import type { LedgerEntry } from '#model/claims-ledger.ts';
import { chunkName, encodeHead } from '#model/head.ts';
import type { Head } from '#model/head.ts';
import { chunkKey, headKey, headName, partLabel } from '#model/wire-names.ts';
import { LostLeadership, Publisher } from '#operator/publisher.ts';
import type { Inventory } from '#operator/publisher.ts';
import { FakeApi } from '../kube/fake-api.ts';
import {
  bundleOf,
  chunkNames,
  configMaps,
  headText,
  inventoryOf,
  namespace,
  readBundle,
  storedHead,
  textIn,
  watchLaws,
} from './published.ts';

function claim(host: string, owner = 'x'): LedgerEntry {
  return { host, namespace: owner, since: '2026-01-01T00:00:00Z' };
}

const claims = [claim('a.test')];
const moreClaims = [claim('a.test'), claim('b.test')];
const first = bundleOf(1);
const second = bundleOf(2);

/** A leader's publisher, and how it sees the store: in step with it unless told otherwise. */
class Leader {
  isLeading = true;
  readonly repairs: string[] = [];
  readonly publisher: Publisher;
  readonly #api: FakeApi;

  constructor(api: FakeApi) {
    this.#api = api;
    this.publisher = new Publisher({
      objects: new ClusterObjects(new ApiClient(api)),
      namespace,
      isLeading: () => this.isLeading,
      onRepair: (message) => this.repairs.push(message),
      signal: new AbortController().signal,
    });
  }

  takeOver(): Promise<readonly LedgerEntry[]> {
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

async function leaderOf(api: FakeApi): Promise<Leader> {
  const leader = new Leader(api);
  await leader.takeOver();
  return leader;
}

/** A store with `first` published in it by a leader that has seen its own chunks since. */
async function published(): Promise<{ readonly api: FakeApi; readonly leader: Leader }> {
  const api = new FakeApi();
  const leader = await leaderOf(api);
  await leader.ensure(first);
  await leader.ensure(first);
  api.writes.length = 0;
  return { api, leader };
}

const nothing: Inventory = { head: undefined, chunks: [] };

function chunkOf(bundle: Bundle, kind: string): string {
  const chunk = bundle.chunks.find((each) => each.kind === kind);
  assert.ok(chunk !== undefined);
  return chunkName(chunk);
}

test('the first publish writes every chunk, immutable and labelled, and then the head', async () => {
  const api = new FakeApi();
  const broken = watchLaws(api);
  const leader = new Leader(api);
  assert.deepEqual(await leader.takeOver(), []);
  assert.deepEqual(api.writes, [], 'without a head there is nobody to shut out');
  const head = await leader.ensure(first);
  const names = [...first.chunks, ...encodeClaims(claims)].map(chunkName);
  assert.deepEqual(
    api.writes.slice(0, -1).toSorted(compareText),
    names.map((name) => `POST ${name}`).toSorted(compareText),
  );
  assert.equal(api.writes.at(-1), `POST ${headName}`);
  assert.deepEqual([head.epoch, head.sequence, head.digest], [1, 1, first.digest]);
  assert.equal(readBundle(api), first.digest);
  assert.equal(leader.publisher.writes, 5);
  assert.deepEqual(leader.publisher.head, head);
  for (const { metadata, ...rest } of inventoryOf(api).chunks) {
    assert.equal(rest['immutable'], true, metadata.name);
    assert.equal((metadata['labels'] as Record<string, unknown>)[partLabel], 'chunk');
  }
  assert.deepEqual(broken, []);
});

test('the same content again writes nothing, whether or not the watch has shown the first write', async () => {
  const api = new FakeApi();
  const leader = await leaderOf(api);
  const head = await leader.ensure(first, { inventory: nothing });
  api.writes.length = 0;
  for (const inventory of [nothing, inventoryOf(api), inventoryOf(api)])
    assert.deepEqual(await leader.ensure(first, { inventory }), head);
  assert.deepEqual(api.writes, []);
});

test('A, B and A again are three revisions, and only what differs is written', async () => {
  const { api, leader } = await published();
  const broken = watchLaws(api);
  assert.equal((await leader.ensure(second)).sequence, 2);
  assert.deepEqual(api.writes, [`POST ${chunkOf(second, 'upstreams')}`, `PUT ${headName}`]);
  api.writes.length = 0;
  const head = await leader.ensure(first);
  assert.deepEqual([head.sequence, head.digest], [3, first.digest]);
  assert.deepEqual(api.writes, [`PUT ${headName}`]);
  assert.deepEqual(
    [1, 2, 3, 4].map((sequence) => leader.publisher.digestOf(sequence)),
    [first.digest, second.digest, first.digest, undefined],
  );
  assert.deepEqual(broken, []);
});

test('claims that change alone rewrite the head under the same sequence', async () => {
  const { api, leader } = await published();
  const before = headText(api);
  const head = await leader.ensure(first, { ledger: moreClaims });
  assert.equal(head.sequence, 1);
  assert.notEqual(headText(api), before);
  assert.deepEqual(head.claims.map(chunkName), encodeClaims(moreClaims).map(chunkName));
  assert.equal(api.writes.length, 2);
});

test('a head that only gained a label is taken as it is', async () => {
  const { api, leader } = await published();
  api.edit(configMaps, headName, (head) => ({
    ...head,
    metadata: { ...head.metadata, annotations: { note: 'hands off' } },
  }));
  assert.equal((await leader.ensure(first)).sequence, 1);
  assert.deepEqual(api.writes, []);
  assert.equal((await leader.ensure(second)).sequence, 2);
  assert.deepEqual(leader.repairs, []);
});

test('the head that this leader wrote is known as its own, any other is not', async () => {
  const { api, leader } = await published();
  const object = inventoryOf(api).head;
  assert.ok(object !== undefined);
  assert.equal(leader.publisher.isOwnHead(object), true);
  assert.equal(leader.publisher.isOwnHead({ ...object, data: { [headKey]: '{}' } }), false);
});

/** A leader's life: publishes, collects, comes back to what it had collected. */
async function work(leader: Leader): Promise<void> {
  await leader.takeOver();
  await leader.ensure(first);
  await leader.ensure(second, { ledger: moreClaims });
  await leader.collect();
  await leader.ensure(first, { ledger: moreClaims });
  await leader.ensure(bundleOf(3, 'b.test'));
}

/** Kills whoever writes at its `at`th write, before or after that takes effect: none of its requests comes through then. */
function killAtWrite(api: FakeApi, at: number, moment: 'before' | 'after'): void {
  let writes = 0;
  api.tap = ({ method }, answer) => {
    if (method !== 'GET') writes++;
    if (writes > at || (writes === at && moment === 'before')) throw new Error('killed');
    const response = answer();
    if (writes === at) {
      writes++;
      throw new Error('killed');
    }
    return response;
  };
}

test('a leader killed at any write leaves a whole bundle, and its successor ends at what is wanted', async () => {
  const counting = new FakeApi();
  await work(new Leader(counting));
  const total = counting.writes.length;
  assert.ok(total > 12, `${total} writes`);
  for (let at = 1; at <= total; at++)
    for (const moment of ['before', 'after'] as const) {
      const place = `killed ${moment} write ${at}`;
      const api = new FakeApi();
      const broken = watchLaws(api);
      killAtWrite(api, at, moment);
      await assert.rejects(work(new Leader(api)), /killed/, place);
      api.tap = (_, answer) => answer();
      const left = storedHead(api);
      const successor = new Leader(api);
      const found = await successor.takeOver();
      if (left !== undefined) {
        assert.deepEqual(encodeClaims(found).map(chunkName), left.claims.map(chunkName), place);
        assert.deepEqual(
          [storedHead(api)?.epoch, storedHead(api)?.sequence],
          [left.epoch + 1, left.sequence],
        );
      }
      for (const bundle of [second, first]) {
        const head = await successor.ensure(bundle);
        assert.equal(readBundle(api), bundle.digest, place);
        assert.ok(head.sequence >= (left?.sequence ?? 1), place);
      }
      await successor.collect();
      assert.deepEqual(chunkNames(api).length, 4, place);
      assert.equal(readBundle(api), first.digest, place);
      assert.deepEqual(broken, [], place);
    }
});

test('a leader whose write fails, before or after it took effect, tries again and ends at what is wanted', async () => {
  for (let at = 1; at <= 5; at++)
    for (const moment of ['before', 'after'] as const)
      for (const isStale of [false, true]) {
        const place = `failed ${moment} write ${at}, ${isStale ? 'with an old' : 'with the present'} inventory`;
        const { api, leader } = await published();
        const broken = watchLaws(api);
        const wanted = bundleOf(5, 'other.test');
        const options = { ledger: moreClaims };
        const stale = inventoryOf(api);
        killAtWrite(api, at, moment);
        const failing = leader.ensure(wanted, options);
        if (at <= 4) await assert.rejects(failing, /killed/, place);
        else await failing;
        api.tap = (_, answer) => answer();
        await leader.ensure(wanted, isStale ? { ...options, inventory: stale } : options);
        assert.equal(readBundle(api), wanted.digest, place);
        assert.ok((storedHead(api)?.sequence ?? 0) > 1, place);
        assert.deepEqual(broken, [], place);
      }
});

test('taking over raises the epoch alone, and hands over the stored claims', async () => {
  const { api, leader } = await published();
  await leader.ensure(second, { ledger: moreClaims });
  const before = storedHead(api);
  assert.ok(before !== undefined);
  const successor = new Leader(api);
  assert.deepEqual(await successor.takeOver(), moreClaims);
  assert.deepEqual(storedHead(api), { ...before, epoch: before.epoch + 1 });
  api.writes.length = 0;
  assert.equal((await successor.ensure(second, { ledger: moreClaims })).sequence, before.sequence);
  assert.deepEqual(api.writes, [], 'what is there already is not written again');
});

test('an earlier leader that goes on never changes the head of a later one', async () => {
  for (const isStale of [false, true])
    for (const bundle of [first, second]) {
      const { api, leader } = await published();
      const stale = inventoryOf(api);
      const successor = await leaderOf(api);
      const text = headText(api);
      const options = isStale ? { inventory: stale } : {};
      if (isStale && bundle === first) {
        // It sees what it wrote, and wants nothing else: there is nothing to lose.
        await leader.ensure(bundle, options);
      } else
        for (let round = 0; round < 3; round++)
          await assert.rejects(leader.ensure(bundle, options), LostLeadership);
      assert.equal(headText(api), text);
      assert.equal((await successor.ensure(second)).sequence, 2);
      await assert.rejects(leader.ensure(bundleOf(7)), LostLeadership);
      assert.equal(readBundle(api), second.digest);
    }
});

test('of two leaders that write at once, the later one stays', async () => {
  const { api, leader } = await published();
  const broken = watchLaws(api);
  const successor = await leaderOf(api);
  const stale = inventoryOf(api);
  const results = await Promise.allSettled([
    leader.ensure(bundleOf(7), { inventory: stale }),
    successor.ensure(second, { inventory: stale }),
    leader.ensure(bundleOf(8), { inventory: stale }),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected'],
  );
  assert.equal(readBundle(api), second.digest);
  assert.equal(storedHead(api)?.epoch, 2);
  assert.deepEqual(broken, []);
});

test('a takeover that meets a write of the old leader in between reads the head anew', async () => {
  const { api, leader } = await published();
  let isFirst = true;
  api.tap = async ({ method, path }, answer) => {
    if (method === 'PUT' && path.includes(headName) && isFirst) {
      isFirst = false;
      await leader.ensure(second);
    }
    return answer();
  };
  const successor = await leaderOf(api);
  assert.deepEqual([storedHead(api)?.epoch, storedHead(api)?.sequence], [2, 2]);
  assert.equal(readBundle(api), second.digest);
  assert.equal(successor.publisher.head?.digest, second.digest);
});

test('nothing is written without the lease', async () => {
  const { api, leader } = await published();
  await leader.ensure(second);
  const writes = api.writes.length;
  leader.isLeading = false;
  await assert.rejects(leader.ensure(bundleOf(4)), LostLeadership);
  await assert.rejects(leader.ensure(first), LostLeadership);
  await assert.rejects(leader.collect(), LostLeadership);
  const stranger = new Leader(api);
  stranger.isLeading = false;
  await assert.rejects(stranger.takeOver(), LostLeadership);
  assert.equal(api.writes.length, writes);
});

function headWith(api: FakeApi, change: Partial<Head>): string {
  const head = storedHead(api);
  assert.ok(head !== undefined);
  return encodeHead({ ...head, ...change });
}

function editHead(api: FakeApi, text: string): void {
  api.edit(configMaps, headName, (head) => ({ ...head, data: { [headKey]: text } }));
}

test('a head that another hand moved on is repaired with a higher sequence', async () => {
  const { api, leader } = await published();
  editHead(api, headWith(api, { sequence: 40, digest: second.digest }));
  const head = await leader.ensure(first);
  assert.deepEqual([head.sequence, head.digest], [41, first.digest]);
  assert.equal(readBundle(api), first.digest);
  assert.deepEqual(leader.repairs, ['the head was changed by another hand; it is made anew']);
  assert.deepEqual([storedHead(api)?.sequence, storedHead(api)?.epoch], [41, 1]);
});

test('a head that another hand changed below its sequence is repaired with a higher one', async () => {
  for (const sequence of [1, 2]) {
    const { api, leader } = await published();
    await leader.ensure(second);
    editHead(api, headWith(api, { sequence, digest: first.digest, chunks: first.chunks }));
    const head = await leader.ensure(second);
    assert.equal(readBundle(api), second.digest);
    // A reader may have taken the other hand's revision under that number.
    assert.ok(head.sequence > 2, `${head.sequence} after another hand's ${sequence}`);
  }
});

test('an unreadable head is made anew, and its sequence does not fall', async () => {
  for (const text of ['', '{', '{"schema":99}', '{"schema":1}']) {
    const { api, leader } = await published();
    await leader.ensure(second);
    editHead(api, text);
    const head = await leader.ensure(first);
    assert.deepEqual([head.sequence, head.digest], [3, first.digest]);
    assert.match(leader.repairs.join(), /the head is unreadable and made anew: /);
    editHead(api, text);
    assert.ok((await leader.ensure(first)).sequence >= 3);
    assert.equal(readBundle(api), first.digest);
  }
});

test(
  'a head that is broken between our read and our write is made anew, and its sequence does not fall',
  {},
  async () => {
    const { api, leader } = await published();
    await leader.ensure(second);
    await leader.ensure(first);
    const stale = inventoryOf(api);
    editHead(api, '{');
    const head = await leader.ensure(second, { inventory: stale });
    assert.equal(readBundle(api), second.digest);
    assert.ok(head.sequence > 3, `revision ${head.sequence} after 3`);
  },
);

test('a head that is deleted is made anew, and its sequence does not fall', async () => {
  const { api, leader } = await published();
  await leader.ensure(second);
  api.remove(configMaps, headName);
  const same = await leader.ensure(second);
  assert.ok(same.sequence >= 2);
  assert.equal(readBundle(api), second.digest);
  api.remove(configMaps, headName);
  const other = await leader.ensure(first);
  assert.ok(other.sequence > same.sequence);
  assert.equal(readBundle(api), first.digest);
});

test('what readers serve beyond the head raises the sequence above it', async () => {
  const { api, leader } = await published();
  assert.equal((await leader.ensure(first, { beyond: 50 })).sequence, 51);
  assert.equal((await leader.ensure(first, { beyond: 50 })).sequence, 51);
  assert.equal((await leader.ensure(second, { beyond: 7 })).sequence, 52);
  assert.equal(readBundle(api), second.digest);
});

test('a reader that serves another content under the present number raises the sequence', async () => {
  const { leader } = await published();
  assert.equal((await leader.ensure(first, { beyond: 1 })).sequence, 2);
});

test('a chunk that is deleted is made again under its name, and the head stays', async () => {
  const { api, leader } = await published();
  const text = headText(api);
  const name = chunkOf(first, 'hosts');
  api.remove(configMaps, name);
  await leader.ensure(first);
  assert.deepEqual(api.writes, [`POST ${name}`]);
  assert.equal(readBundle(api), first.digest);
  assert.equal(headText(api), text);
});

test('a chunk that is deleted before any inventory has shown it is made again', async () => {
  const api = new FakeApi();
  const leader = await leaderOf(api);
  await leader.ensure(first);
  api.remove(configMaps, chunkOf(first, 'hosts'));
  // Nothing else has changed meanwhile: this is the first look at the inventory since the chunk was made.
  await leader.ensure(first);
  assert.equal(readBundle(api), first.digest);
});

test('a chunk that another hand replaced is made anew, however little of it differs', async () => {
  const name = chunkOf(first, 'upstreams');
  const changes: readonly ((text: string) => Readonly<Record<string, unknown>>)[] = [
    () => ({ immutable: true, data: { [chunkKey]: '[]' } }),
    () => ({ immutable: true, data: {} }),
    () => ({ immutable: true }),
    // Right today, but anybody could change it tomorrow.
    (text) => ({ data: { [chunkKey]: text } }),
  ];
  for (const change of changes) {
    const { api, leader } = await published();
    const before = api.get(configMaps, name);
    assert.ok(before !== undefined);
    api.remove(configMaps, name);
    const metadata = { name, namespace, labels: { [partLabel]: 'chunk' } };
    api.put(configMaps, { metadata, ...change(textIn(before, chunkKey) ?? '') });
    await leader.ensure(first);
    assert.equal(readBundle(api), first.digest);
    assert.equal(api.get(configMaps, name)?.['immutable'], true);
    assert.deepEqual(leader.repairs, [`chunk ${name} is not what its name says; it is made anew`]);
    await leader.ensure(first);
    assert.equal(leader.repairs.length, 1);
  }
});

test('a wrong chunk under a name that is needed for the first time is made anew before the head names it', async () => {
  const { api, leader } = await published();
  const broken = watchLaws(api);
  const name = chunkOf(second, 'upstreams');
  for (const isShown of [true, false]) {
    const stale = inventoryOf(api);
    const metadata = { name, namespace, labels: { [partLabel]: 'chunk' } };
    if (api.get(configMaps, name) === undefined)
      api.put(configMaps, { metadata, data: { [chunkKey]: '[]' } });
    await leader.ensure(second, isShown ? {} : { inventory: stale });
    assert.equal(readBundle(api), second.digest);
  }
  assert.deepEqual(broken, []);
});

test('what another leader has stored already is found right and used', async () => {
  const { api } = await published();
  const successor = await leaderOf(api);
  api.writes.length = 0;
  await successor.ensure(second);
  assert.deepEqual(api.writes, [`POST ${chunkOf(second, 'upstreams')}`, `PUT ${headName}`]);
  assert.deepEqual(successor.repairs, []);
});

test('a chunk that was collected and is wanted again is made again, also while the watch still shows it', async () => {
  for (const isStale of [false, true]) {
    const { api, leader } = await published();
    const broken = watchLaws(api);
    await leader.ensure(second);
    const stale = inventoryOf(api);
    await leader.collect();
    assert.equal(api.get(configMaps, chunkOf(first, 'upstreams')), undefined);
    await leader.ensure(first, isStale ? { inventory: stale } : {});
    assert.equal(readBundle(api), first.digest);
    assert.deepEqual(broken, []);
  }
});

test('collecting deletes the very object that was seen, and no later one of its name', async () => {
  const { api, leader } = await published();
  await leader.ensure(second);
  const stale = inventoryOf(api);
  const name = chunkOf(first, 'upstreams');
  const before = api.get(configMaps, name);
  api.remove(configMaps, name);
  await leader.publisher.collect([name], stale);
  api.put(configMaps, { immutable: true, data: before?.['data'], metadata: { name, namespace } });
  await assert.rejects(leader.publisher.collect([name], stale), { status: 409 });
  assert.ok(api.get(configMaps, name) !== undefined);
});

test('claims are recovered from their chunks when the head is lost or unreadable', async () => {
  for (const lose of [
    (api: FakeApi) => api.remove(configMaps, headName),
    (api: FakeApi) => editHead(api, 'not json'),
    (api: FakeApi) => editHead(api, '{"schema":2}'),
  ]) {
    const { api, leader } = await published();
    await leader.ensure(first, { ledger: [claim('a.test', 'y'), claim('b.test')] });
    lose(api);
    const successor = new Leader(api);
    // The chunk that was made later holds: `a.test` has changed hands.
    assert.deepEqual(
      (await successor.takeOver()).toSorted((a, b) => (a.host < b.host ? -1 : 1)),
      [claim('a.test', 'y'), claim('b.test')],
    );
    await successor.ensure(second);
    assert.equal(readBundle(api), second.digest);
  }
});

test('a chunk of claims that is missing or broken is told, and the others are kept', async () => {
  const { api } = await published();
  const [name] = encodeClaims(claims).map(chunkName);
  assert.ok(name !== undefined);
  const kept = encodeClaims([claim('kept.test')]).map((chunk) => ({
    name: chunkName(chunk),
    text: chunk.text,
  }));
  for (const each of kept)
    api.put(configMaps, {
      metadata: { name: each.name, namespace, labels: { [partLabel]: 'chunk' } },
      data: { [chunkKey]: each.text },
    });
  api.remove(configMaps, name);
  api.put(configMaps, {
    metadata: { name, namespace, labels: { [partLabel]: 'chunk' } },
    data: { [chunkKey]: '[]' },
  });
  api.remove(configMaps, headName);
  const successor = new Leader(api);
  assert.deepEqual(await successor.takeOver(), [claim('kept.test')]);
  assert.deepEqual(successor.repairs, [`claims are lost: ${name} is missing or broken`]);
});

test('an error of the network passes through a takeover and changes nothing', async () => {
  const { api } = await published();
  const text = headText(api);
  api.tap = () => {
    throw new Error('reset');
  };
  const successor = new Leader(api);
  await assert.rejects(successor.takeOver(), /reset/);
  api.tap = (_, answer) => answer();
  assert.equal(headText(api), text);
  assert.deepEqual(await successor.takeOver(), claims);
  assert.equal(storedHead(api)?.epoch, 2);
});
