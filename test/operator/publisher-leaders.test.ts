// One leader takes over from another: whoever comes later stays, and starts from what the earlier one has left.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkName } from '#model/chunk.ts';
import { encodeClaims } from '#model/claims-ledger.ts';
import { chunkKey, headName, partLabel } from '#model/wire-names.ts';
import { LostLeadership } from '#operator/publisher.ts';
import { FakeApi } from '../kube/fake-api.ts';
import { claim, claims, editHead, first, Leader, leaderOf, moreClaims, published, second } from './leader.ts';
import {
  bundleOf,
  configMaps,
  headText,
  inventoryOf,
  namespace,
  readBundle,
  storedHead,
  watchLaws,
} from './published.ts';

test('taking over raises the epoch alone, and hands over the stored claims', async () => {
  const { api, leader } = await published();
  await leader.ensure(second, { ledger: moreClaims });
  const before = storedHead(api);
  assert.ok(before !== undefined);
  const successor = new Leader(api);
  assert.deepEqual((await successor.takeOver()).claims, moreClaims);
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
      (await successor.takeOver()).claims.toSorted((a, b) => (a.host < b.host ? -1 : 1)),
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
  assert.deepEqual((await successor.takeOver()).claims, [claim('kept.test')]);
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
  assert.deepEqual((await successor.takeOver()).claims, claims);
  assert.equal(storedHead(api)?.epoch, 2);
});

test('the epoch is that of the term, and never below that of the head', async () => {
  const api = new FakeApi();
  const early = new Leader(api, 5);
  await early.takeOver();
  assert.equal((await early.ensure(first)).epoch, 5);
  // The Lease was lost: its terms begin anew.
  const next = new Leader(api, 1);
  await next.takeOver();
  assert.equal(storedHead(api)?.epoch, 6);
  const later = new Leader(api, 40);
  await later.takeOver();
  assert.equal(storedHead(api)?.epoch, 40);
  await assert.rejects(next.ensure(second), LostLeadership);
  assert.equal((await later.ensure(second)).epoch, 40);
});

test('without a head the terms order the leaders, also when the earlier one goes on', async () => {
  const { api, leader } = await published();
  api.remove(configMaps, headName);
  const successor = new Leader(api, 2);
  await successor.takeOver();
  assert.equal((await successor.ensure(second, { beyond: 1 })).epoch, 2);
  await assert.rejects(leader.ensure(first), LostLeadership);
  assert.equal(readBundle(api), second.digest);
});

test('a head that cannot be read still says what its epoch and its sequence must exceed', async () => {
  const unreadable = '{"schema":99,"epoch":7,"sequence":40}';
  const { api } = await published();
  editHead(api, unreadable);
  const successor = new Leader(api, 2);
  await successor.takeOver();
  const head = await successor.ensure(first);
  assert.deepEqual([head.epoch, head.sequence, head.digest], [8, 41, first.digest]);
});

test('a leader that meets the unreadable head of a later one gives way to it', async () => {
  const { api, leader } = await published();
  const text = '{"schema":99,"epoch":7,"sequence":40}';
  editHead(api, text);
  for (const bundle of [first, second]) await assert.rejects(leader.ensure(bundle), LostLeadership);
  assert.equal(headText(api), text);
});

test('a leader that meets an unreadable head of its own time goes on above its sequence', async () => {
  const { api, leader } = await published();
  editHead(api, '{"schema":99,"epoch":1,"sequence":40}');
  assert.deepEqual([(await leader.ensure(first)).sequence, readBundle(api)], [41, first.digest]);
});

test('numbers beyond all reason in an unreadable head are not believed', async () => {
  const { api, leader } = await published();
  editHead(api, `{"schema":99,"epoch":${2 ** 53 - 1},"sequence":${2 ** 53 - 1}}`);
  const head = await leader.ensure(first);
  assert.deepEqual([head.epoch, head.sequence], [1, 2]);
});
