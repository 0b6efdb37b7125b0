// What other hands do to the head and its chunks is mended, and no number ever falls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkKey, headName, partLabel } from '#model/wire-names.ts';
import { FakeApi } from '../kube/fake-api.ts';
import { chunkOf, editHead, first, headWith, leaderOf, published, second } from './leader.ts';
import {
  configMaps,
  headText,
  inventoryOf,
  namespace,
  readBundle,
  storedHead,
  textIn,
  watchLaws,
} from './published.ts';

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
