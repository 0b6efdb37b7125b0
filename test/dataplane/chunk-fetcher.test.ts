// Many chunks come by a list, few by name; whatever a list does not bring is asked for by name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import { chunkName, isSecret } from '#model/chunk.ts';
import { failure, FakeApi, json } from '../kube/fake-api.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';
import { certificateOf } from '../model/varied-model.ts';
import { configMaps, fetches, follow, publish, putChunk, first } from './followed.ts';

const numbers = Array.from({ length: 1000 }, (_, number) => number);

/** With so many hosts whose paths are others. */
function largeBundle(changed: number): Bundle {
  const hosts = numbers.map((number) =>
    exactHost(`host-${number}.test`, 'x/s:80', number < changed ? '/changed' : '/'),
  );
  return encode({
    ...modelOf(hosts, [upstream('x/s:80', 1)]),
    certificates: [certificateOf('x/web', 'web')],
  });
}

const large = largeBundle(0);
const listed = large.chunks.filter(({ kind }) => !isSecret(kind)).map(chunkName);
const byNameAlone = large.chunks
  .filter(({ kind }) => isSecret(kind))
  .map((chunk) => `GET ${chunkName(chunk)}`);
assert.ok(listed.length > 8 && byNameAlone.length === 1);

/** Those of ConfigMaps that are no watch of the head. */
function lists(paths: readonly string[]): number {
  return paths.filter((path) => path.includes('labelSelector')).length;
}

function pathsOf(api: FakeApi): string[] {
  const paths: string[] = [];
  api.tap = ({ path }, answer) => {
    paths.push(path);
    return answer();
  };
  return paths;
}

test('a first table of many chunks takes one list, and Secrets are asked for by name', async (context) => {
  const api = new FakeApi();
  publish(api, large, 1);
  const paths = pathsOf(api);
  const { target } = follow(context, api);
  await target.takes(large, 1);
  assert.equal(lists(paths), 1);
  assert.deepEqual(fetches(api), byNameAlone);
});

test('a first table of few chunks is not listed', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const paths = pathsOf(api);
  const { target } = follow(context, api);
  await target.takes(first, 1);
  assert.equal(lists(paths), 0);
});

test('of a table that is here for the most part what has changed is asked for by name', async (context) => {
  const api = new FakeApi();
  publish(api, large, 1);
  const { target } = follow(context, api);
  await target.takes(large, 1);
  const changed = largeBundle(10);
  const fresh = changed.chunks.map(chunkName).filter((name) => !large.chunks.map(chunkName).includes(name));
  assert.ok(fresh.length >= 8 && fresh.length < changed.chunks.length / 2, `${fresh.length} are new`);
  const paths = pathsOf(api);
  const before = fetches(api).length;
  publish(api, changed, 2);
  await target.takes(changed, 2);
  assert.equal(lists(paths), 0);
  assert.equal(fetches(api).length - before, fresh.length);
});

test('an answer that is no list is no harm', async (context) => {
  const api = new FakeApi();
  publish(api, large, 1);
  api.tap = ({ path }, answer) =>
    path.includes('labelSelector') ? json(200, { kind: 'ConfigMapList', items: null }) : answer();
  const { target } = follow(context, api);
  await target.takes(large, 1);
  assert.equal(fetches(api).length, large.chunks.length);
});

test('where chunks may not be listed, all are asked for by name', async (context) => {
  const api = new FakeApi();
  publish(api, large, 1);
  api.tap = ({ path }, answer) =>
    path.includes('labelSelector') ? failure(403, 'Forbidden', 'configmaps is forbidden') : answer();
  const { target } = follow(context, api);
  await target.takes(large, 1);
  assert.equal(fetches(api).length, large.chunks.length);
});

test('a list of chunks that are mostly old is given up, and the rest is asked for by name', async (context) => {
  const api = new FakeApi();
  publish(api, large, 1);
  const paths = pathsOf(api);
  const seen = api.tap;
  const half = listed.slice(0, 5);
  api.tap = async (request, answer) => {
    const response = await seen(request, answer);
    if (!request.path.includes('labelSelector')) return response;
    const old = numbers.slice(0, 6).map((number) => ({
      metadata: { name: `flint-hosts-${String(number).padStart(64, '0')}` },
      data: { chunk: '[]' },
    }));
    const items = [...half.map((name) => api.get(configMaps, name)), ...old];
    return json(200, { kind: 'ConfigMapList', metadata: { resourceVersion: '1', continue: 'more' }, items });
  };
  const { target } = follow(context, api);
  await target.takes(large, 1);
  assert.equal(lists(paths), 1, 'the second page was not asked for');
  const wanted = [...listed.slice(5).map((name) => `GET ${name}`), ...byNameAlone];
  assert.deepEqual([...fetches(api)].sort(), wanted.sort());
});

test('pages are asked for as long as they are of use', async (context) => {
  const api = new FakeApi();
  publish(api, large, 1);
  const continued: (string | null)[] = [];
  api.tap = ({ path }, answer) => {
    if (!path.includes('labelSelector')) return answer();
    const from = new URL(path, 'http://api').searchParams.get('continue');
    continued.push(from);
    const start = Number(from ?? 0);
    const items = listed.slice(start, start + 5).map((name) => api.get(configMaps, name));
    const next = start + 5 < listed.length ? { continue: String(start + 5) } : {};
    return json(200, { kind: 'ConfigMapList', metadata: { resourceVersion: '1', ...next }, items });
  };
  const { target } = follow(context, api);
  await target.takes(large, 1);
  assert.equal(continued.length, Math.ceil(listed.length / 5));
  assert.deepEqual(fetches(api), byNameAlone);
});

test('a listed chunk of other content is refused, and taken when it is repaired under the same name', async (context) => {
  const api = new FakeApi();
  publish(api, large, 1);
  const broken = large.chunks.find(({ kind }) => kind === 'hosts');
  assert.ok(broken !== undefined);
  const name = chunkName(broken);
  api.remove(configMaps, name);
  putChunk(api, name, '[]');
  const { target } = follow(context, api);
  await target.refuses('1 DigestMismatch');
  assert.deepEqual(target.taken, []);
  api.remove(configMaps, name);
  putChunk(api, name, broken.text);
  await target.takes(large, 1);
});
