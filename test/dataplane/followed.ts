// A cluster with bundles in it, a follower of its head, and a target that takes what a data plane would take.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { BundleFollower } from '#dataplane/bundle-follower.ts';
import type { BundleTarget } from '#dataplane/bundle-follower.ts';
import type { Applied } from '#dataplane/data-plane.ts';
import { TableStore } from '#dataplane/table-store.ts';
import { ApiClient } from '#kube/api-client.ts';
import { secretValue } from '#kube/secret.ts';
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import { chunkName, isSecret } from '#model/chunk.ts';
import type { Chunk, ChunkRef } from '#model/chunk.ts';
import type { Refusal, Refused } from '#model/chunk-reader.ts';
import { encodeHead } from '#model/head.ts';
import type { Delivery } from '#model/model-reader.ts';
import { chunkKey, headKey, headName, partLabel } from '#model/wire-names.ts';
import { createLogger } from '#telemetry/log.ts';
import type { FakeApi } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';

export const namespace = 'flint-routes';
export const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
export const secrets = `/api/v1/namespaces/${namespace}/secrets`;

/** A bundle of three chunks; two of them differ in one alone, that of the upstreams. */
function bundleOf(endpoints: number): Bundle {
  return encode(modelOf([exactHost('a.test', 'x/s:80')], [upstream('x/s:80', endpoints)]));
}

export const first = bundleOf(1);
export const second = bundleOf(2);
export const third = bundleOf(3);

export function upstreamsOf(bundle: Bundle): string {
  const chunk = bundle.chunks.find(({ kind }) => kind === 'upstreams');
  assert.ok(chunk !== undefined);
  return chunkName(chunk);
}

export function putChunks(api: FakeApi, bundle: Bundle): void {
  for (const chunk of bundle.chunks)
    if (isSecret(chunk.kind)) putSecret(api, chunkName(chunk), chunk.text);
    else if (api.get(configMaps, chunkName(chunk)) === undefined) putChunk(api, chunkName(chunk), chunk.text);
}

export function putSecret(api: FakeApi, name: string, text: string): void {
  api.put(secrets, { immutable: true, metadata: { name }, data: { [chunkKey]: secretValue(text) } });
}

export function putChunk(api: FakeApi, name: string, text: string): void {
  const metadata = { name, labels: { [partLabel]: 'chunk' } };
  api.put(configMaps, { immutable: true, metadata, data: { [chunkKey]: text } });
}

export function putHead(api: FakeApi, { schema, digest, chunks }: Bundle, sequence: number): void {
  putHeadText(api, encodeHead({ schema, epoch: 1, sequence, digest, chunks, claims: [] }));
}

export function putHeadText(api: FakeApi, text: string): void {
  api.put(configMaps, { metadata: { name: headName }, data: { [headKey]: text } });
}

export function publish(api: FakeApi, bundle: Bundle, sequence: number): void {
  putChunks(api, bundle);
  putHead(api, bundle, sequence);
}

/** Takes what a data plane would take, and remembers what it was told. */
export class Target implements BundleTarget {
  readonly taken: string[] = [];
  readonly refused: string[] = [];
  readonly refusals = new Set<string>();
  readonly store = new TableStore();
  table = '';
  #sequence = 0;

  missing(schema: number, refs: readonly ChunkRef[]): readonly ChunkRef[] {
    return this.store.missing(schema, refs);
  }

  offer(chunk: Chunk): Refused | undefined {
    return this.store.offer(chunk);
  }

  async apply(delivery: Delivery, sequence: number): Promise<Applied> {
    if (sequence <= this.#sequence) return { kind: 'Unchanged' };
    const change = this.store.read(delivery);
    if (change.kind === 'Refused') {
      this.refuse(sequence, change.refusal, change.message);
      return change;
    }
    this.store.take(change, sequence);
    this.#sequence = sequence;
    this.table = delivery.digest;
    this.taken.push(`${sequence} ${delivery.digest}`);
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

export interface Started {
  readonly target: Target;
  readonly follower: BundleFollower;
  readonly signal: AbortSignal;
}

export function follow(
  context: TestContext,
  api: FakeApi,
  timeoutMs?: number,
  logger = createLogger('silent'),
): Started {
  const controller = new AbortController();
  const target = new Target();
  const { signal } = controller;
  const client = new ApiClient(api, timeoutMs);
  const follower = new BundleFollower({ client, namespace, target, logger, signal });
  const running = follower.run();
  context.after(async () => {
    controller.abort();
    await running;
  });
  return { target, follower, signal };
}

export function fetches(api: FakeApi): readonly string[] {
  return api.requests.filter((request) => request.startsWith('GET '));
}
