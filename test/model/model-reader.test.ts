// A reader of one bundle after another: what it says of each is what is said of that bundle by itself, and what it holds
// after each is that bundle.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import type { ChunkContent, Refused } from '#model/chunk-reader.ts';
import { refused } from '#model/chunk-reader.ts';
import { chunkName, chunkOf } from '#model/chunk.ts';
import type { Chunk, ChunkKind } from '#model/chunk.ts';
import { defaultSettings } from '#model/default-settings.ts';
import type { Remains } from '#model/held-chunks.ts';
import { ModelReader } from '#model/model-reader.ts';
import type { Keeper, Kept, ModelChange } from '#model/model-reader.ts';
import { keysOf, referencesOf } from '#model/references.ts';
import type { References } from '#model/references.ts';
import { writeUpstream } from '#model/upstream-form.ts';
import { newestSchema } from '#model/route-model-schema.ts';
import { certificateOf, variedModel } from './varied-model.ts';
import { exactHost, largeModel, modelOf, upstream } from './large-model.ts';
import { sealed } from './resealed.ts';

/** What remains of a chunk: everything. */
class Whole implements Remains {
  readonly content: ChunkContent;

  constructor(content: ChunkContent) {
    this.content = content;
  }

  keys(): readonly string[] {
    return keysOf(this.content);
  }

  references(): readonly References[] {
    return referencesOf(this.content);
  }
}

class Held implements Keeper<Whole> {
  readonly reader = new ModelReader(this);
  /** Kept, and not forgotten or removed. */
  readonly kept = new Set<Whole>();

  keep(content: ChunkContent): Kept<Whole> {
    const value = new Whole(content);
    this.kept.add(value);
    return { kind: 'Kept', value };
  }

  forget(value: Whole): void {
    assert.ok(this.kept.delete(value), 'what was kept is forgotten once');
  }

  /** As a follower brings it: the chunks that are missing, one by one, or all at once. */
  deliver(bundle: Bundle, isOffered: boolean): ModelChange<Whole> | Refused {
    const { schema, digest, chunks } = bundle;
    const missing = new Set(this.reader.missing(schema, chunks));
    const bare = chunks.map(({ kind, digest: of }) => ({ kind, digest: of }));
    if (!isOffered)
      return this.reader.read({
        schema,
        digest,
        chunks: chunks.map((chunk, index) => (missing.has(chunk) ? chunk : bare[index]!)),
      });
    for (const chunk of missing) {
      const fault = this.reader.offer(chunk);
      if (fault !== undefined) return fault;
    }
    return this.reader.read({ schema, digest, chunks: bare });
  }

  take(change: ModelChange<Whole>): void {
    this.reader.take(change);
    for (const { value } of change.removed) assert.ok(this.kept.delete(value));
  }
}

function taken(bundle: Bundle): Held {
  const held = new Held();
  const change = held.deliver(bundle, false);
  assert.ok(change.kind === 'Changed');
  held.take(change);
  return held;
}

const names = ['a', 'b', 'c', 'd'] as const;
const subset = fc.uniqueArray(fc.constantFrom(...names));

/** Lists of values, some of which stand in two chunks or refer to nothing. */
const bundles = fc
  .record({
    hosts: fc.array(
      fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)), { maxLength: 3 }),
      {
        maxLength: 3,
      },
    ),
    upstreams: fc.array(subset, { minLength: 1, maxLength: 2 }),
    certificates: subset,
    nodes: fc.array(subset, { maxLength: 2 }),
    hasCertificate: fc.boolean(),
    fallback: fc.option(fc.constantFrom(...names)),
    schema: fc.constantFrom(2, 3, 4, 4, 4),
  })
  .map(({ hosts, upstreams, certificates, nodes, hasCertificate, fallback, schema }) => {
    const chunks: Chunk[] = [];
    const put = (kind: ChunkKind, value: unknown): void => {
      const chunk = chunkOf(kind, canonicalJson(value));
      if (!chunks.some((each) => chunkName(each) === chunkName(chunk))) chunks.push(chunk);
    };
    const rule = exactHost('any', fallback ?? '').rules[0]!;
    put('settings', {
      ...defaultSettings,
      fallback: fallback === null ? { kind: 'NotFound' } : { kind: 'Rule', rule },
    });
    for (const list of hosts)
      put(
        'hosts',
        list.map(([name, target]) => ({
          ...exactHost(name, target),
          certificates: hasCertificate ? [target] : [],
        })),
      );
    for (const list of upstreams)
      put(
        'upstreams',
        list.map((id) => (schema < 3 ? upstream(id, 1) : JSON.parse(writeUpstream(upstream(id, 1))))),
      );
    if (schema >= 3) {
      put(
        'certificates',
        certificates.map((id) => ({ ...certificateOf(id), key: 'x' })),
      );
      for (const list of nodes)
        put(
          'zones',
          list.map((node) => ({ node, zone: 'z' })),
        );
    }
    return sealed(schema, chunks);
  });

test('whatever came before, a bundle is refused or taken as by itself', () => {
  const outcomes = new Map<string, number>();
  const steps = fc.array(fc.tuple(bundles, fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(steps, (sequence) => {
      const held = new Held();
      let present: readonly string[] = [];
      for (const [bundle, isOffered, isTaken] of sequence) {
        const decoded = decode(bundle);
        const change = held.deliver(bundle, isOffered);
        outcomes.set(decoded.kind, (outcomes.get(decoded.kind) ?? 0) + 1);
        if (decoded.kind === 'Refused') {
          assert.ok(change.kind === 'Refused', `not refused: ${decoded.message}`);
          assert.equal(change.refusal, decoded.refusal);
          assert.notEqual(change.message, '');
          continue;
        }
        assert.ok(change.kind === 'Changed', JSON.stringify(change));
        // What came with its text is kept by a change that is never taken: only offers may be left lying.
        if (isOffered && !isTaken) continue;
        held.take(change);
        const gone = new Set(change.removed.map(chunkName));
        present = [...present.filter((name) => !gone.has(name)), ...change.added.map(chunkName)];
        assert.deepEqual(present.toSorted(), bundle.chunks.map(chunkName).sort());
        assert.equal(held.kept.size, present.length);
        for (const kind of ['zones', 'hosts', 'upstreams', 'certificates'] as const)
          assert.equal(held.reader.size(kind).keys, decoded.model[kind].length, kind);
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(Math.min(...outcomes.values()) > 1000 && outcomes.size === 2, JSON.stringify([...outcomes]));
});

test('a model with one change is read as one chunk', () => {
  const before = largeModel(3000);
  const held = taken(encode(before));
  const upstreams = before.upstreams.with(7, upstream(before.upstreams[7]!.id, 3));
  const change = held.deliver(encode({ ...before, upstreams }), true);
  assert.ok(change.kind === 'Changed');
  assert.deepEqual(
    [change.added.map(({ kind }) => kind), change.removed.map(({ kind }) => kind)],
    [['upstreams'], ['upstreams']],
  );
});

test('an upstream that goes while a host still refers to it is told with that host', () => {
  const hosts = [exactHost('a.test', 'x/one:80'), exactHost('b.test', 'x/two:80')];
  const held = taken(encode(modelOf(hosts, [upstream('x/one:80', 1), upstream('x/two:80', 1)])));
  const broken = encode(modelOf(hosts, [upstream('x/one:80', 1)]));
  const expected = refused('Malformed', 'host b.test refers to the unknown upstream x/two:80');
  assert.deepEqual(held.deliver(broken, true), expected);
  assert.deepEqual(decode(broken), expected);
});

test('a change that is not taken changes nothing', () => {
  const one = encode(modelOf([exactHost('a.test', 'x/one:80')], [upstream('x/one:80', 1)]));
  const two = encode(modelOf([exactHost('b.test', 'x/two:80')], [upstream('x/two:80', 1)]));
  const held = taken(one);
  assert.equal(held.deliver(two, true).kind, 'Changed');
  const again = held.deliver(one, true);
  assert.ok(again.kind === 'Changed' && again.added.length + again.removed.length === 0);
  assert.equal(held.kept.size, one.chunks.length, 'what was offered for the other is forgotten');
});

test('what was offered for a bundle that was refused need not come again', () => {
  const held = taken(encode(modelOf([], [])));
  const broken = encode(modelOf([exactHost('a.test', 'x/gone:80')], [upstream('x/one:80', 1)]));
  assert.equal(held.deliver(broken, true).kind, 'Refused');
  assert.deepEqual(held.reader.missing(broken.schema, broken.chunks), []);
  const repaired = encode(modelOf([exactHost('a.test', 'x/one:80')], [upstream('x/one:80', 1)]));
  assert.deepEqual(
    held.reader.missing(repaired.schema, repaired.chunks).map(({ kind }) => kind),
    ['hosts'],
  );
});

test('a chunk without its text that the reader does not have is missing', () => {
  const { schema, digest, chunks } = encode(variedModel());
  const bare = chunks.map(({ kind, digest: of }) => ({ kind, digest: of }));
  assert.deepEqual(
    new Held().reader.read({ schema, digest, chunks: bare }),
    refused('ChunkMissing', `there is no chunk ${chunkName(chunks[0]!)}`),
  );
});

test('the same chunks in another schema are read anew', () => {
  const model = modelOf([exactHost('a.test', 'x/one:80')], []);
  const bundle = encode({ ...model, hosts: model.hosts.map((host) => ({ ...host, rules: [] })) });
  const held = taken(bundle);
  const chunks = bundle.chunks.filter(({ kind }) => kind !== 'zones');
  assert.deepEqual(held.reader.missing(newestSchema, chunks), []);
  assert.deepEqual(held.reader.missing(2, chunks), chunks);
  const change = held.deliver(sealed(2, chunks), true);
  assert.ok(change.kind === 'Changed');
  assert.deepEqual([change.added.length, change.removed.length], [chunks.length, bundle.chunks.length]);
});

test('whoever keeps a chunk may refuse it', () => {
  const keeper = new Held();
  const reader = new ModelReader<Whole>({
    keep: (content) =>
      content.kind === 'hosts' ? refused('Malformed', 'no hosts today') : keeper.keep(content),
    forget: (value) => keeper.forget(value),
  });
  const bundle = encode(modelOf([exactHost('a.test', 'x/one:80')], [upstream('x/one:80', 1)]));
  assert.deepEqual(reader.read(bundle), refused('Malformed', 'no hosts today'));
  assert.equal(keeper.kept.size, 0, 'what came before it in the bundle is forgotten');
});
