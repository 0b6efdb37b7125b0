// The stored bundle is whole at every moment, whoever dies, interferes or leads too long, and it ends as what is wanted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareText } from '#model/text-order.ts';
import { chunkName } from '#model/chunk.ts';
import { encodeClaims } from '#model/claims-ledger.ts';
import { headKey, headName, partLabel } from '#model/wire-names.ts';
import { LostLeadership } from '#operator/publisher.ts';
import { failure, FakeApi } from '../kube/fake-api.ts';
import {
  chunkOf,
  claims,
  first,
  Leader,
  leaderOf,
  moreClaims,
  nothing,
  published,
  second,
} from './leader.ts';
import {
  bundleOf,
  chunkNames,
  configMaps,
  headText,
  inventoryOf,
  namespace,
  readBundle,
  storedHead,
  watchLaws,
} from './published.ts';

test('the first publish writes every chunk, immutable and labelled, and then the head', async () => {
  const api = new FakeApi();
  const broken = watchLaws(api);
  const leader = new Leader(api);
  assert.deepEqual(await leader.takeOver(), { claims: [], certificates: [], keys: [] });
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
  assert.equal(leader.publisher.writes, names.length + 1);
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
        assert.deepEqual(encodeClaims(found.claims).map(chunkName), left.claims.map(chunkName), place);
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
      assert.equal(chunkNames(api).length, first.chunks.length + encodeClaims(claims).length, place);
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

test('what this leader has collected is known, once for each object, and what others delete is not', async () => {
  const { api, leader } = await published();
  const name = chunkOf(first, 'upstreams');
  const before = api.get(configMaps, name);
  assert.ok(before !== undefined);
  assert.equal(leader.publisher.hasCollected(before), false);
  await leader.ensure(second);
  await leader.collect();
  await leader.ensure(first);
  assert.equal(leader.publisher.hasCollected(before), true);
  assert.equal(leader.publisher.hasCollected(before), false);
  const anew = api.get(configMaps, name);
  assert.ok(anew !== undefined);
  assert.equal(leader.publisher.hasCollected(anew), false, 'of the one that was made since');
});

test('collecting gives way to what is urgent, and gets on all the same', async () => {
  const { api, leader } = await published();
  for (let endpoints = 2; endpoints < 60; endpoints++) await leader.ensure(bundleOf(endpoints));
  const inventory = inventoryOf(api);
  const named = new Set(
    [...(storedHead(api)?.chunks ?? []), ...(storedHead(api)?.claims ?? [])].map(chunkName),
  );
  const rest = (): readonly string[] => chunkNames(api).filter((name) => !named.has(name));
  assert.equal(rest().length, 58);
  await leader.publisher.collect(rest(), inventory, () => true);
  assert.equal(rest().length, 50);
  let left = 20;
  await leader.publisher.collect(rest(), inventory, () => --left < 0);
  assert.ok(rest().length > 20 && rest().length < 40, `${rest().length} are left`);
  await leader.publisher.collect(rest(), inventory);
  assert.deepEqual(rest(), []);
  assert.equal(readBundle(api), bundleOf(59).digest);
});

test('what is refused as a conflict time and again is an error, and no endless loop', async () => {
  const { api, leader } = await published();
  for (const refused of [chunkOf(second, 'upstreams'), headName]) {
    const { length } = api.requests;
    api.tap = ({ method, body }, answer) =>
      method !== 'GET' && body?.includes(refused) === true
        ? failure(409, 'Conflict', 'quotas could not be counted')
        : answer();
    await assert.rejects(leader.ensure(second), /neither there nor|changed at every attempt/);
    assert.ok(api.requests.length - length < 40, `${api.requests.length - length} requests`);
  }
  api.tap = (_, answer) => answer();
  assert.equal((await leader.ensure(second)).sequence, 2);
  assert.equal(readBundle(api), second.digest);
});
