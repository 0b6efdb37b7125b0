// How models travel: content alone decides the digest, small changes rewrite little, and what decode lets through.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import { chunkName } from '#model/chunk.ts';
import { canonicalJson, digestOf } from '#model/canonical-json.ts';
import { bucketBytes, chunkBytes, configMapBytes, hostBytes, upstreamEndpoints } from '#model/limits.ts';
import type { RouteModel } from '#model/route-model.ts';
import { SecretText } from '#model/secret-text.ts';
import { routeModel } from './arbitrary-model.ts';
import { exactHost, largeModel, modelOf, upstream } from './large-model.ts';
import { plainBundle } from './resealed.ts';
import { revealed } from './revealed.ts';

const runs = { numRuns: 300 };

function chunkNames(model: RouteModel): Set<string> {
  return new Set(encode(model).chunks.map(chunkName));
}

/** How many chunks of `after` a reader of `before` does not have, and the other way round. */
function difference(before: RouteModel, after: RouteModel): { written: number; dropped: number } {
  const [old, fresh] = [chunkNames(before), chunkNames(after)];
  return { written: fresh.difference(old).size, dropped: old.difference(fresh).size };
}

/** The same value with the keys of every object in the opposite order. */
function backwards(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(backwards);
  if (typeof value !== 'object' || value === null || value instanceof SecretText) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, field]) => [key, backwards(field)]),
  );
}

test('decode(encode(model)) equals the model, in whatever order its chunks arrive', () => {
  const withOrder = routeModel.chain((model) => {
    const { chunks, ...rest } = encode(model);
    const order = fc.shuffledSubarray([...chunks], { minLength: chunks.length });
    return fc.tuple(
      fc.constant(model),
      order.map((shuffled): Bundle => ({ ...rest, chunks: shuffled })),
    );
  });
  fc.assert(
    fc.property(withOrder, ([model, bundle]) => {
      const decoded = decode(bundle);
      assert.deepEqual(decoded, { kind: 'Decoded', model });
      // Keys hide from a comparison.
      assert.ok(decoded.kind === 'Decoded');
      assert.deepEqual(revealed(decoded.model), revealed(model));
    }),
    runs,
  );
});

test('equal models have equal bundles, whatever the order of keys and of what has none', () => {
  fc.assert(
    fc.property(routeModel, (model) => {
      const other = backwards({
        ...model,
        zones: model.zones.toReversed(),
        hosts: model.hosts.toReversed(),
        upstreams: model.upstreams.toReversed(),
        certificates: model.certificates.toReversed(),
      }) as RouteModel;
      assert.deepEqual(plainBundle(encode(other)), plainBundle(encode(model)));
    }),
    runs,
  );
});

test('different models have different digests', () => {
  fc.assert(
    fc.property(routeModel, routeModel, (one, other) => {
      assert.equal(
        encode(one).digest === encode(other).digest,
        canonicalJson(revealed(one)) === canonicalJson(revealed(other)),
      );
    }),
    runs,
  );
});

test('a chunk is named by the digest of its text, and its text is canonical', () => {
  for (const { digest, text } of encode(largeModel(200)).chunks) {
    assert.equal(digest, digestOf(text));
    assert.equal(canonicalJson(JSON.parse(text)), text);
  }
});

test("one upstream's endpoints change one chunk", () => {
  const before = largeModel(1000);
  for (const index of [0, 17, 500, 999]) {
    const upstreams = before.upstreams.with(index, {
      ...before.upstreams[index]!,
      endpoints: before.upstreams[index]!.endpoints.with(3, { address: '10.9.9.9', port: 1, state: 'Ready' }),
    });
    assert.deepEqual(difference(before, { ...before, upstreams }), { written: 1, dropped: 1 });
  }
});

test('one setting changes one chunk', () => {
  const before = largeModel(100);
  const after = { ...before, settings: { ...before.settings, attempts: 5 } };
  assert.deepEqual(difference(before, after), { written: 1, dropped: 1 });
});

test('3000 hosts are split into buckets, and one more changes few of them', () => {
  const before = largeModel(3000);
  const { chunks } = encode(before);
  for (const chunk of chunks)
    assert.ok(Buffer.byteLength(chunk.text) <= bucketBytes[chunk.kind], chunkName(chunk));
  assert.ok(chunks.length < 300, `${chunks.length} chunks`);
  assert.deepEqual(decode(encode(before)), { kind: 'Decoded', model: before });
  for (const name of ['new.example.com', 'a', 'zzz.example.org', 'host-3000.example.com']) {
    const after = modelOf([...before.hosts, exactHost(name, 'x/service-1:80')], before.upstreams);
    const { written, dropped } = difference(before, after);
    assert.ok(written <= 2 && dropped <= 1, `${name}: ${written} written, ${dropped} dropped`);
  }
});

test('a host and an upstream as large as translation allows fit in a chunk each, and a chunk in a ConfigMap', () => {
  const model = modelOf(
    [exactHost('large.test', 'x/large:80', `/${'a'.repeat(hostBytes - 1000)}`)],
    [
      {
        ...upstream('x/large:80', 0),
        endpoints: Array.from({ length: upstreamEndpoints }, () => ({
          address: 'fd00:1111:2222:3333:4444:5555:6666:7777',
          port: 65_535,
          state: 'Terminating',
        })),
      },
    ],
  );
  assert.equal(decode(encode(model)).kind, 'Decoded');
  assert.ok(chunkBytes < configMapBytes);
});

test('a host that no chunk can hold is an error of the writer', () => {
  const host = exactHost('large.test', 'x/s:80', `/${'a'.repeat(chunkBytes)}`);
  assert.throws(() => encode(modelOf([host], [upstream('x/s:80', 1)])), RangeError);
});

test('limits count bytes, not characters', () => {
  const host = exactHost('large.test', 'x/s:80', `/${'é'.repeat(chunkBytes / 2)}`);
  assert.throws(() => encode(modelOf([host], [upstream('x/s:80', 1)])), RangeError);
});
