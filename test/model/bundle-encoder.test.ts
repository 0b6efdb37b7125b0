// One encoder for one model after another: what it remembers changes nothing in what it makes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { BundleEncoder, encode } from '#model/bundle.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { chunkName } from '#model/chunk.ts';
import type { RouteModel } from '#model/route-model.ts';
import { fitToSchema } from '#model/schema-fit.ts';
import { routeModel } from './arbitrary-model.ts';
import { exactHost, largeModel, upstream } from './large-model.ts';
import { plainBundle } from './resealed.ts';
import { certificateOf } from './varied-model.ts';

type Edit = (model: RouteModel) => RouteModel;

const listKinds = ['zones', 'hosts', 'upstreams', 'certificates'] as const;

/** Takes a part of another model, changes the order, or changes nothing but the identity of a list or of a value. */
const edit: fc.Arbitrary<Edit> = fc.oneof(
  routeModel.map(
    (other): Edit =>
      () =>
        other,
  ),
  fc
    .tuple(routeModel, fc.constantFrom('settings', 'zones', 'hosts'))
    .map(([other, part]): Edit => (model) => ({ ...model, [part]: other[part] })),
  fc
    .tuple(routeModel, fc.constantFrom('upstreams' as const, 'certificates' as const), fc.nat())
    .map(([other, part, index]): Edit => (model) => {
      const at = index % model[part].length;
      // Under the name of the one that it replaces: names are unique.
      const [was, is] = [model[part][at], other[part][index % other[part].length]];
      if (was === undefined || is === undefined) return model;
      return { ...model, [part]: (model[part] as readonly unknown[]).with(at, { ...is, id: was.id }) };
    }),
  fc.constantFrom(...listKinds).map((part): Edit => (model) => ({
    ...model,
    [part]: model[part].toReversed(),
  })),
  fc.constantFrom(...listKinds).map((part): Edit => (model) => ({ ...model, [part]: [...model[part]] })),
  fc.constant<Edit>((model) => ({
    ...model,
    settings: { ...model.settings },
    hosts: model.hosts.map((host) => ({ ...host })),
  })),
  fc.constant<Edit>((model) => ({ ...model, hosts: model.hosts.slice(1) })),
  fc.constant<Edit>((model) => model),
);

test('edited models give the bundles that each gives by itself, in every schema', () => {
  const steps = fc.array(fc.tuple(edit, fc.constantFrom(1, 2, 3, 4, 4)), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(routeModel, steps, (first, edits) => {
      const encoder = new BundleEncoder();
      let model = first;
      for (const [next, schema] of [[(each: RouteModel) => each, 3] as const, ...edits]) {
        model = next(model);
        const fitted = fitToSchema(model, schema).model;
        assert.deepEqual(plainBundle(encoder.encode(fitted, schema)), plainBundle(encode(fitted, schema)));
      }
    }),
    { numRuns: 100 },
  );
});

/** A copy from which no other value of the same content can be told by identity. */
function copyOf<T>(value: T): T {
  return JSON.parse(canonicalJson(value)) as T;
}

test('so do those of a size that splits its buckets', () => {
  const step = fc.tuple(
    fc.constantFrom('add', 'drop', 'grow', 'shrink', 'copy', 'turn'),
    fc.nat(),
    fc.integer({ min: 1, max: 60 }),
  );
  const base = largeModel(250);
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      const encoder = new BundleEncoder();
      let { hosts, upstreams } = base;
      encoder.encode(base);
      for (const [number, [kind, seed, count]] of steps.entries()) {
        const from = seed % upstreams.length;
        switch (kind) {
          case 'add':
            for (let index = 0; index < count; index++) {
              const id = `new/service-${number}-${index}:80`;
              upstreams = upstreams.toSpliced(from, 0, upstream(id, 20));
              hosts = hosts.toSpliced(from, 0, exactHost(`new-${number}-${index}.test`, id));
            }
            break;
          case 'drop':
            hosts = hosts.toSpliced(from, count);
            break;
          case 'grow':
            upstreams = upstreams.map((each, at) =>
              at < from || at >= from + count ? each : upstream(each.id, 200),
            );
            break;
          case 'shrink':
            upstreams = upstreams.map((each, at) =>
              at < from || at >= from + count ? each : upstream(each.id, 0),
            );
            break;
          case 'copy':
            upstreams = copyOf(upstreams);
            break;
          case 'turn':
            hosts = [...hosts.slice(from), ...hosts.slice(0, from)];
            upstreams = [...upstreams.slice(from), ...upstreams.slice(0, from)];
            break;
        }
        const model = { ...base, hosts, upstreams };
        assert.deepEqual(plainBundle(encoder.encode(model)), plainBundle(encode(model)));
      }
    }),
    { numRuns: 15 },
  );
});

test('one endpoint that changes changes one chunk, and the others stay the same objects', () => {
  const encoder = new BundleEncoder();
  const base = { ...largeModel(1000), certificates: [certificateOf('x/a'), certificateOf('x/b')] };
  let before = encoder.encode(base);
  let { upstreams } = base;
  for (const [at, index] of [0, 17, 500, 999].entries()) {
    const each = upstreams[index]!;
    const endpoints = each.endpoints.with(3, { address: '10.9.9.9', port: 1 + at, state: 'Ready' });
    upstreams = upstreams.with(index, { ...each, endpoints });
    const after = encoder.encode({ ...base, upstreams });
    const known = new Set(before.chunks);
    const fresh = after.chunks.filter((chunk) => !known.has(chunk));
    assert.deepEqual(
      fresh.map(({ kind }) => kind),
      ['upstreams'],
    );
    const names = new Set(after.chunks.map(chunkName));
    assert.equal(before.chunks.filter((chunk) => !names.has(chunkName(chunk))).length, 1);
    assert.notEqual(after.digest, before.digest);
    before = after;
  }
});

test('a certificate that is renewed changes one chunk, and is seen though keys print alike', () => {
  const encoder = new BundleEncoder();
  const base = largeModel(3);
  const of = (key: string): RouteModel => ({ ...base, certificates: [certificateOf('x/a', key)] });
  const [before, after] = [encoder.encode(of('one')), encoder.encode(of('other'))];
  const known = new Set(before.chunks);
  assert.deepEqual(
    after.chunks.filter((chunk) => !known.has(chunk)).map(({ kind }) => kind),
    ['certificates'],
  );
  assert.notEqual(after.digest, before.digest);
});

test('no chunk below schema 3 holds a certificate or a zone', () => {
  const model = { ...largeModel(3), certificates: [certificateOf('x/a', 'VisibleKey')] };
  for (const schema of [1, 2]) {
    const { chunks } = encode(model, schema);
    assert.deepEqual([...new Set(chunks.map(({ kind }) => kind))], ['settings', 'hosts', 'upstreams']);
    for (const { text } of chunks) assert.ok(!text.includes('VisibleKey'));
  }
});
