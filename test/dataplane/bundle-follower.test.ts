// A data plane follows the head: whole bundles only, few fetches, and the last good table through every fault.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { BundleFollower } from '#dataplane/bundle-follower.ts';
import type { BundleTarget } from '#dataplane/bundle-follower.ts';
import type { Applied } from '#dataplane/data-plane.ts';
import { ApiClient } from '#kube/api-client.ts';
import { decode, encode } from '#model/bundle.ts';
import type { Bundle, Refusal } from '#model/bundle.ts';
import { chunkName, encodeHead } from '#model/head.ts';
import { chunkKey, headKey, headName, partLabel } from '#model/wire-names.ts';
import { createLogger } from '#telemetry/log.ts';
import { failure, FakeApi, hang } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';

const namespace = 'flint-routes';
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;

/** A bundle of three chunks; two of them differ in one alone, that of the upstreams. */
function bundleOf(endpoints: number): Bundle {
  return encode(modelOf([exactHost('a.test', 'x/s:80')], [upstream('x/s:80', endpoints)]));
}

const first = bundleOf(1);
const second = bundleOf(2);
const third = bundleOf(3);

function upstreamsOf(bundle: Bundle): string {
  const chunk = bundle.chunks.find(({ kind }) => kind === 'upstreams');
  assert.ok(chunk !== undefined);
  return chunkName(chunk);
}

function putChunks(api: FakeApi, bundle: Bundle): void {
  for (const chunk of bundle.chunks)
    if (api.get(configMaps, chunkName(chunk)) === undefined) putChunk(api, chunkName(chunk), chunk.text);
}

function putChunk(api: FakeApi, name: string, text: string): void {
  const metadata = { name, labels: { [partLabel]: 'chunk' } };
  api.put(configMaps, { immutable: true, metadata, data: { [chunkKey]: text } });
}

function putHead(api: FakeApi, { schema, digest, chunks }: Bundle, sequence: number): void {
  putHeadText(api, encodeHead({ schema, epoch: 1, sequence, digest, chunks, claims: [] }));
}

function putHeadText(api: FakeApi, text: string): void {
  api.put(configMaps, { metadata: { name: headName }, data: { [headKey]: text } });
}

function publish(api: FakeApi, bundle: Bundle, sequence: number): void {
  putChunks(api, bundle);
  putHead(api, bundle, sequence);
}

/** Takes what a data plane would take, and remembers what it was told. */
class Target implements BundleTarget {
  readonly taken: string[] = [];
  readonly refused: string[] = [];
  readonly refusals = new Set<string>();
  table = '';
  #sequence = 0;

  async apply(bundle: Bundle, sequence: number): Promise<Applied> {
    if (sequence <= this.#sequence) return { kind: 'Unchanged' };
    const decoded = decode(bundle);
    if (decoded.kind === 'Refused') {
      this.refuse(sequence, decoded.refusal, decoded.message);
      return decoded;
    }
    this.#sequence = sequence;
    this.table = bundle.digest;
    this.taken.push(`${sequence} ${bundle.digest}`);
    return { kind: 'Applied' };
  }

  refuse(sequence: number, refusal: Refusal, message: string): void {
    assert.notEqual(message, '');
    this.refused.push(`${sequence} ${refusal}`);
    this.refusals.add(`${sequence} ${refusal}`);
  }

  takes(bundle: Bundle, sequence: number): Promise<void> {
    return until(`revision ${sequence} is taken`, () => this.taken.at(-1) === `${sequence} ${bundle.digest}`);
  }

  refuses(text: string): Promise<void> {
    return until(`${text} is told`, () => this.refusals.has(text));
  }
}

interface Started {
  readonly target: Target;
  readonly follower: BundleFollower;
  readonly signal: AbortSignal;
}

function follow(context: TestContext, api: FakeApi, timeoutMs?: number): Started {
  const controller = new AbortController();
  const target = new Target();
  const { signal } = controller;
  const client = new ApiClient(api, timeoutMs);
  const follower = new BundleFollower({ client, namespace, target, logger: createLogger('silent'), signal });
  const running = follower.run();
  context.after(async () => {
    controller.abort();
    await running;
  });
  return { target, follower, signal };
}

function fetches(api: FakeApi): readonly string[] {
  return api.requests.filter((request) => request.startsWith('GET '));
}

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
  await until('all chunks are asked for', () => fetches(api).length === 3);
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
