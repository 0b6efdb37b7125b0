// A data plane follows the head: whole bundles only, few fetches, and the last good table through every fault.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { BundleFollower } from '#dataplane/bundle-follower.ts';
import { ApiClient } from '#kube/api-client.ts';
import { encode } from '#model/bundle.ts';
import { chunkName } from '#model/chunk.ts';
import { chunkKey, headName } from '#model/wire-names.ts';
import { createLogger } from '#telemetry/log.ts';
import { failure, FakeApi, hang } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';
import { certificateOf, keyText } from '../model/varied-model.ts';
import {
  Target,
  configMaps,
  fetches,
  first,
  follow,
  namespace,
  publish,
  putChunk,
  putChunks,
  putHead,
  putHeadText,
  putSecret,
  second,
  secrets,
  third,
  upstreamsOf,
} from './followed.ts';

test('the first head is taken, whether it was there before or comes later', async (context) => {
  for (const isEarly of [true, false]) {
    const api = new FakeApi();
    if (isEarly) publish(api, first, 5);
    const { target } = follow(context, api);
    if (!isEarly) {
      await until('the watch is open', () => api.requests.includes('WATCH'));
      assert.deepEqual(target.taken, []);
      publish(api, first, 5);
    }
    await target.takes(first, 5);
    assert.deepEqual([...fetches(api)].sort(), first.chunks.map((chunk) => `GET ${chunkName(chunk)}`).sort());
  }
});

test('only chunks that are new are fetched, and what is gone from the head is forgotten', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const { target } = follow(context, api);
  await target.takes(first, 1);
  for (const [bundle, sequence] of [
    [second, 2],
    [third, 3],
    [second, 4],
  ] as const) {
    api.requests.length = 0;
    publish(api, bundle, sequence);
    await target.takes(bundle, sequence);
    assert.deepEqual(fetches(api), [`GET ${upstreamsOf(bundle)}`]);
  }
  api.requests.length = 0;
  publish(api, second, 5);
  await target.takes(second, 5);
  assert.deepEqual(fetches(api), [], 'the same content under another number');
});

test('a missing chunk keeps the old table, is refused, and is taken when it appears', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const { target } = follow(context, api);
  await target.takes(first, 1);
  putHead(api, second, 2);
  await target.refuses('2 ChunkMissing');
  assert.equal(target.table, first.digest);
  putChunks(api, second);
  await target.takes(second, 2);
  assert.deepEqual([...target.refusals], ['2 ChunkMissing']);
});

test('a chunk without its key is a missing one', async (context) => {
  for (const data of [undefined, null, {}, { other: 'x' }, { [chunkKey]: 7 }]) {
    const api = new FakeApi();
    publish(api, first, 1);
    api.remove(configMaps, upstreamsOf(first));
    api.put(configMaps, { metadata: { name: upstreamsOf(first) }, data });
    const { target } = follow(context, api);
    await target.refuses('1 ChunkMissing');
    api.remove(configMaps, upstreamsOf(first));
    putChunks(api, first);
    await target.takes(first, 1);
  }
});

test('a chunk of other content is refused, and taken when it is repaired under the same name', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const { target } = follow(context, api);
  await target.takes(first, 1);
  putChunk(api, upstreamsOf(second), '[]');
  putHead(api, second, 2);
  await target.refuses('2 DigestMismatch');
  assert.equal(target.table, first.digest);
  api.remove(configMaps, upstreamsOf(second));
  putChunks(api, second);
  await target.takes(second, 2);
  publish(api, third, 3);
  await target.takes(third, 3);
});

test('certificates are fetched as Secrets, everything else as ConfigMaps', async (context) => {
  const api = new FakeApi();
  const paths: string[] = [];
  api.tap = ({ path }, answer) => {
    paths.push(path);
    return answer();
  };
  const model = modelOf([exactHost('a.test', 'x/s:80')], [upstream('x/s:80', 1)]);
  const bundle = encode({ ...model, certificates: [certificateOf('x/certificate-1')] });
  const kinds = bundle.chunks.map(({ kind }) => kind);
  assert.ok(kinds.includes('certificates') && kinds.includes('hosts'));
  publish(api, bundle, 1);
  const { target } = follow(context, api);
  await target.takes(bundle, 1);
  for (const chunk of bundle.chunks) {
    const collection = chunk.kind === 'certificates' ? secrets : configMaps;
    assert.ok(paths.includes(`${collection}/${chunkName(chunk)}`), paths.join('\n'));
  }
  assert.deepEqual(
    target.store.certificates.map(({ id }) => id),
    ['x/certificate-1'],
  );
});

test('a Secret of key material that is not there is a missing chunk, never looked for elsewhere', async (context) => {
  const api = new FakeApi();
  const model = modelOf([], []);
  const bundle = encode({ ...model, certificates: [certificateOf('x/certificate-1')] });
  const chunk = bundle.chunks.find(({ kind }) => kind === 'certificates');
  assert.ok(chunk !== undefined);
  publish(api, bundle, 1);
  api.remove(secrets, chunkName(chunk));
  putChunk(api, chunkName(chunk), chunk.text);
  const { target } = follow(context, api);
  await target.refuses('1 ChunkMissing');
  putSecret(api, chunkName(chunk), chunk.text);
  await target.takes(bundle, 1);
});

test('an answer for a Secret that cannot be read is tried again, and shows nothing of it in the log', async (context) => {
  const api = new FakeApi();
  const bundle = encode({ ...modelOf([], []), certificates: [certificateOf('x/certificate-1')] });
  publish(api, bundle, 1);
  const logged: unknown[] = [];
  let answers = 0;
  api.tap = ({ path }, answer) => {
    if (!path.startsWith(`${secrets}/`) || ++answers > 1) return answer();
    const body = (async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`{"data":{"chunk":${keyText}}}`);
    })();
    return { ...answer(), body };
  };
  const logger = createLogger('silent');
  logger.warn = (fields: unknown) => logged.push(fields);
  const { target } = follow(context, api, undefined, logger);
  await target.takes(bundle, 1);
  assert.equal(logged.length, 1);
  const text = inspect(logged, { depth: 9 });
  assert.match(text, /the answer for chunk flint-certificates-[0-9a-f]{64} is no JSON/);
  for (const part of ['PRIVATE', '-----', 'Visible']) assert.ok(!text.includes(part), text);
});

test('a whole whose chunks are sound may be refused, and what was fetched for it is kept', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const { target } = follow(context, api);
  await target.takes(first, 1);
  // A host that refers to an upstream which is not there: only all chunks together show it.
  const host = exactHost('b.test', 'x/other:80');
  const broken = encode(modelOf([host], [upstream('x/s:80', 2)]));
  const repaired = encode(modelOf([host], [upstream('x/other:80', 2)]));
  api.requests.length = 0;
  publish(api, broken, 2);
  await target.refuses('2 Malformed');
  assert.equal(target.table, first.digest);
  publish(api, repaired, 3);
  await target.takes(repaired, 3);
  const asked = fetches(api);
  assert.equal(new Set(asked).size, asked.length, asked.join(', '));
  assert.equal(asked.length, 3, 'hosts and upstreams of the one, upstreams of the other');
});

test('a head that cannot be read is refused once, and the next one is taken', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const { target } = follow(context, api);
  await target.takes(first, 1);
  const broken = [
    ['{', 'Malformed'],
    ['{"schema":99}', 'UnknownSchema'],
    ['{"schema":1}', 'Malformed'],
  ] as const;
  for (const [index, [text, refusal]] of broken.entries()) {
    target.refused.length = 0;
    target.refusals.clear();
    putHeadText(api, text);
    await target.refuses(`0 ${refusal}`);
    assert.equal(target.taken.length, index + 1);
    const bundle = index % 2 === 0 ? second : first;
    publish(api, bundle, index + 2);
    await target.takes(bundle, index + 2);
    assert.deepEqual(target.refused, [`0 ${refusal}`]);
  }
});

test('a head without its key is refused and keeps the table', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const { target } = follow(context, api);
  await target.takes(first, 1);
  api.edit(configMaps, headName, (head) => ({ ...head, data: { other: 'x' } }));
  await target.refuses('0 Malformed');
  assert.equal(target.table, first.digest);
  publish(api, second, 2);
  await target.takes(second, 2);
});

test('a head that is deleted keeps the table, and the next one is taken', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const { target } = follow(context, api);
  await target.takes(first, 1);
  api.remove(configMaps, headName);
  putHead(api, first, 1);
  api.remove(configMaps, headName);
  assert.equal(target.table, first.digest);
  publish(api, second, 2);
  await target.takes(second, 2);
  assert.deepEqual(target.refused, []);
  assert.equal(target.taken.length, 2);
});

test('a head that is replaced while its chunks are fetched is taken, and then the newest', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const { target } = follow(context, api);
  await target.takes(first, 1);
  const gate = Promise.withResolvers<void>();
  api.tap = async ({ path }, answer) => {
    if (path.includes(upstreamsOf(second))) await gate.promise;
    return answer();
  };
  publish(api, second, 2);
  await until('the chunk is asked for', () => api.requests.includes(`GET ${upstreamsOf(second)}`));
  publish(api, third, 3);
  // The follower has seen the third head when its watch has shown what came after it.
  await new Promise((resolve) => setImmediate(resolve));
  gate.resolve();
  await target.takes(third, 3);
  // The second one is whole, too: were it left out, heads that come faster than their chunks would never be served.
  assert.deepEqual(target.taken, [`1 ${first.digest}`, `2 ${second.digest}`, `3 ${third.digest}`]);
});

test('what was fetched for a head that was replaced is not fetched again', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const gate = Promise.withResolvers<void>();
  api.tap = async ({ path }, answer) => {
    if (path.includes(upstreamsOf(first))) await gate.promise;
    return answer();
  };
  const { target } = follow(context, api);
  await until('all chunks are asked for', () => fetches(api).length === first.chunks.length);
  publish(api, second, 2);
  await new Promise((resolve) => setImmediate(resolve));
  gate.resolve();
  await target.takes(second, 2);
  assert.equal(new Set(fetches(api)).size, fetches(api).length, fetches(api).join(', '));
});

test('errors of the network are tried again, in the list, in the watch and in every fetch', async (context) => {
  const api = new FakeApi();
  const failures = new Map<string, number>();
  api.tap = ({ path }, answer) => {
    const count = (failures.get(path) ?? 0) + 1;
    failures.set(path, count);
    // Every request fails twice, in two ways.
    if (count === 1) throw new Error('reset');
    if (count === 2) return failure(503, 'ServiceUnavailable', 'not now');
    return answer();
  };
  publish(api, first, 1);
  const { target } = follow(context, api);
  await target.takes(first, 1);
  publish(api, second, 2);
  await target.takes(second, 2);
  assert.deepEqual(target.refused, [], 'a network that fails says nothing about a revision');
});

test('a watch that breaks resumes where it was, and misses no head', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  let broken = 0;
  api.tap = ({ path }, answer) => {
    const response = answer();
    if (!path.includes('watch=true')) return response;
    const { body } = response;
    const breaking = (async function* (): AsyncGenerator<Uint8Array> {
      for await (const bytes of body) {
        yield bytes;
        broken++;
        throw new Error('reset in the middle');
      }
    })();
    return { ...response, body: breaking };
  };
  const { target } = follow(context, api);
  await target.takes(first, 1);
  for (const [bundle, sequence] of [
    [second, 2],
    [third, 3],
    [first, 4],
  ] as const) {
    publish(api, bundle, sequence);
    await target.takes(bundle, sequence);
  }
  assert.ok(broken >= 3);
  assert.equal(api.requests.filter((request) => request === 'LIST').length, 1);
});

test('a fetch that hangs is given up and tried again', async (context) => {
  const api = new FakeApi();
  let hung = 0;
  api.tap = (request, answer) => {
    if (!request.path.includes(upstreamsOf(first)) || hung > 0) return answer();
    hung++;
    return hang(request);
  };
  publish(api, first, 1);
  const { target } = follow(context, api, 50);
  await target.takes(first, 1);
  assert.equal(hung, 1);
});

test('a follower ends with its signal, in whatever it is doing', async () => {
  for (const state of ['without a head', 'waiting', 'fetching', 'backing off']) {
    const api = new FakeApi();
    const controller = new AbortController();
    if (state !== 'without a head') publish(api, first, 1);
    if (state === 'backing off') api.remove(configMaps, upstreamsOf(first));
    if (state === 'fetching')
      api.tap = (request, answer) => (request.path.includes('flint-upstreams') ? hang(request) : answer());
    const target = new Target();
    const { signal } = controller;
    const client = new ApiClient(api);
    const running = new BundleFollower({
      client,
      namespace,
      target,
      logger: createLogger('silent'),
      signal,
    }).run();
    await until('the watch is open', () => api.requests.includes('WATCH'));
    if (state === 'waiting') await target.takes(first, 1);
    if (state === 'fetching')
      await until('a chunk is asked for', () => api.requests.includes(`GET ${upstreamsOf(first)}`));
    if (state === 'backing off') await target.refuses('1 ChunkMissing');
    controller.abort();
    await running;
  }
});

test('the age of the last contact is known', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const { target, follower } = follow(context, api);
  await target.takes(first, 1);
  const age = follower.contactAgeSeconds;
  assert.ok(age >= 0 && age < 60);
});

test('waiting for heads leaves nothing behind', async (context) => {
  const api = new FakeApi();
  publish(api, first, 1);
  const { target, signal } = follow(context, api);
  await target.takes(first, 1);
  const listeners = getEventListeners(signal, 'abort').length;
  for (let sequence = 2; sequence <= 30; sequence++) {
    const bundle = sequence % 2 === 0 ? second : first;
    publish(api, bundle, sequence);
    await target.takes(bundle, sequence);
  }
  assert.ok(getEventListeners(signal, 'abort').length <= listeners + 2);
});
