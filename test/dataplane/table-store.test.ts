// What the main thread keeps: a table of the last bundle that was taken, and not a trace of those that were refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TableStore } from '#dataplane/table-store.ts';
import { encode } from '#model/bundle.ts';
import { chunkName } from '#model/chunk.ts';
import type { VirtualHost } from '#model/route-model.ts';
import { certificateOf } from '../model/varied-model.ts';
import { host, model, upstream } from './models.ts';
import { TableThread, take } from './tables.ts';

test('a bundle that is refused changes nothing, and leaves no memory behind', () => {
  const store = new TableStore();
  const good = model([host('a.test', 'up')], [upstream('up', 1)]);
  const first = take(store, good, 1).state;
  for (let round = 0; round < 20; round++) {
    const upstreams = Array.from({ length: 3000 }, (_, index) => upstream(`up-${round}-${index}`, 80));
    const broken = encode(model([host('b.test', 'gone')], upstreams));
    const { schema, digest, chunks } = broken;
    if (round % 2 === 0) assert.equal(store.read(broken).kind, 'Refused');
    else {
      for (const chunk of store.missing(schema, chunks))
        assert.equal(store.offer(chunks.find((each) => chunkName(each) === chunkName(chunk))!), undefined);
      assert.equal(store.read({ schema, digest, chunks: chunks.map(bare) }).kind, 'Refused');
    }
    assert.deepEqual(store.sizes, first.sizes);
  }
  const { state, routes } = take(store, good, 2);
  assert.deepEqual(routes, { added: [], removed: [] });
  const table = new TableThread().bring(state);
  assert.deepEqual(table.routes.findHost('a.test')?.source, good.hosts[0]);
  assert.equal(table.routes.findHost('b.test'), undefined);
  assert.ok(state.slabs.size <= 2, `${state.slabs.size} slabs`);
});

function bare<Ref extends { readonly kind: unknown; readonly digest: unknown }>({
  kind,
  digest,
}: Ref): Pick<Ref, 'kind' | 'digest'> {
  return { kind, digest };
}

test('a bundle with an expression that no worker could compile is refused before any of them sees it', () => {
  const { rules, ...rest } = host('a.test', 'up');
  const broken: VirtualHost = {
    ...rest,
    rules: rules.map((rule) => ({
      ...rule,
      matches: rule.matches.map((match) => ({ ...match, path: { kind: 'RegularExpression', value: '/(' } })),
    })),
  };
  const read = new TableStore().read(encode(model([broken], [upstream('up', 1)])));
  assert.ok(read.kind === 'Refused' && read.refusal === 'Malformed', JSON.stringify(read));
});

test('only chunks that are new are missing, and offered ones need no text', () => {
  const store = new TableStore();
  take(store, model([host('a.test', 'up')], [upstream('up', 1)]), 1);
  const next = encode(model([host('a.test', 'up')], [upstream('up', 2)]));
  const missing = store.missing(next.schema, next.chunks);
  assert.deepEqual(
    missing.map(({ kind }) => kind),
    ['upstreams'],
  );
  const delivery = { schema: next.schema, digest: next.digest, chunks: next.chunks.map(bare) };
  const unread = store.read(delivery);
  assert.ok(unread.kind === 'Refused' && unread.refusal === 'ChunkMissing');
  assert.equal(store.offer(next.chunks.find(({ kind }) => kind === 'upstreams')!), undefined);
  const change = store.read(delivery);
  assert.ok(change.kind === 'Changed');
  const table = new TableThread().bring(store.take(change, 2).state);
  assert.equal(table.upstreams.get('up')?.pick([])?.port, 2);
});

test('what is known of certificates is known without their keys, and gone with their chunk', () => {
  const store = new TableStore();
  const known = (ids: readonly string[], revision: number): readonly string[] => {
    const certificates = ids.map((id) => certificateOf(id, `key of ${id}`));
    take(store, { ...model([], []), certificates }, revision);
    assert.doesNotMatch(JSON.stringify(store.certificates), /key of/);
    return store.certificates.map(({ id }) => id);
  };
  assert.deepEqual(known(['x/b', 'x/a'], 1), ['x/a', 'x/b']);
  assert.deepEqual(known(['x/b'], 2), ['x/b']);
  assert.deepEqual(known([], 3), []);
});

test('the routes of a change are the objects with rules in its chunks', () => {
  const store = new TableStore();
  const up = upstream('up', 1);
  assert.deepEqual(take(store, model([host('a.test', 'up', 'one')], [up]), 1).routes, {
    added: ['test/one'],
    removed: [],
  });
  const second = take(store, model([host('a.test', 'up', 'two'), host('b.test', 'up', 'two')], [up]), 2);
  assert.deepEqual(second.routes, { added: ['test/two'], removed: ['test/one'] });
  assert.deepEqual(take(store, model([], [up]), 3).routes, { added: [], removed: ['test/two'] });
});

test('the fallback is a route of its own, as long as there is one', () => {
  const store = new TableStore();
  const plain = model([], [upstream('up', 1)]);
  const rule = host('any', 'up').rules[0]!;
  const ref = { kind: 'Setting', namespace: 'test', name: 'defaultBackend', rule: 'defaultBackend' } as const;
  const fallback = { kind: 'Rule', rule: { ...rule, ref } } as const;
  const withFallback = { ...plain, settings: { ...plain.settings, fallback } };
  assert.deepEqual(take(store, withFallback, 1).routes.added, ['test/defaultBackend']);
  assert.deepEqual(take(store, plain, 2).routes.removed, ['test/defaultBackend']);
});

test('memory is cleared of chunks that went, and what stays is still served', () => {
  const store = new TableStore();
  const thread = new TableThread();
  const many = (count: number): ReturnType<typeof model> => {
    const ids = Array.from({ length: count }, (_, index) => index);
    return model(
      ids.map((id) => host(`h${id}.test`, `up-${id}`)),
      ids.map((id) => upstream(`up-${id}`, 1000 + id)),
    );
  };
  const large = take(store, many(20_000), 1).state;
  assert.ok(large.slabs.size >= 4);
  thread.bring(large);
  const small = take(store, many(100), 2).state;
  assert.ok(small.slabs.size <= 2, `${small.slabs.size} slabs`);
  const table = thread.bring(small);
  for (let id = 0; id < 100; id++) {
    assert.equal(table.routes.findHost(`h${id}.test`)?.key, `h${id}.test`);
    assert.equal(table.upstreams.get(`up-${id}`)?.pick([])?.port, 1000 + id);
  }
  assert.equal(table.routes.findHost('h100.test'), undefined);
  assert.deepEqual([small.sizes.hosts.keys, small.sizes.upstreams.keys], [100, 100]);
});
