// The schema that a model is published in, for every mixture of pods that a rollout passes through.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { RouteModel, VirtualHost } from '#model/route-model.ts';
import { newestSchema, schemaNumbers } from '#model/route-model-schema.ts';
import type { Understanding } from '#operator/acknowledgements.ts';
import { chooseSchema, SchemaChooser } from '#operator/schema-choice.ts';
import { routeModel } from '../model/arbitrary-model.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';
import { stopClock } from './fake-clock.ts';

const first = [1];
const second = [1, 2];
const present = schemaNumbers;

function modelWith(change: (host: VirtualHost) => VirtualHost): RouteModel {
  return modelOf([change(exactHost('a.test', 'x/s:80'))], [upstream('x/s:80', 1)]);
}

/** What each can be told of: everybody, readers of 2 and later, readers of 3 and later. */
const plain = modelWith((host) => host);
const filtering = modelWith((host) => ({
  ...host,
  rules: host.rules.map((rule) => ({
    ...rule,
    filters: [{ kind: 'DirectResponse' as const, status: 200, contentType: 'text/plain', body: 'x' }],
  })),
}));
const encrypted = modelWith((host) => ({ ...host, certificates: ['x/c'] }));

interface Row {
  readonly what: string;
  readonly counting: Understanding['counting'];
  /** Those that are not ready. */
  readonly starting?: Understanding['running'];
  readonly unknown?: number;
  readonly published?: number;
  readonly model: RouteModel;
  readonly schema: number;
  readonly isHeldBack?: true;
}

const rows: readonly Row[] = [
  { what: 'all new', counting: [present, present], model: encrypted, schema: newestSchema },
  { what: 'nobody at all', counting: [], model: encrypted, schema: newestSchema },
  { what: 'one old ready, no loss', counting: [present, second], model: plain, schema: 2 },
  { what: 'one of the first ready, no loss', counting: [present, first], model: plain, schema: 1 },
  {
    what: 'one old ready, a loss',
    counting: [present, second],
    model: encrypted,
    schema: 2,
    isHeldBack: true,
  },
  {
    what: 'one of the first ready, a loss',
    counting: [second, first],
    model: filtering,
    schema: 1,
    isHeldBack: true,
  },
  { what: 'one old ready that can do it', counting: [present, second], model: filtering, schema: 2 },
  { what: 'one old starting, no loss', counting: [present], starting: [second], model: plain, schema: 2 },
  {
    what: 'one old starting, which would be a loss',
    counting: [present],
    starting: [second],
    model: encrypted,
    schema: newestSchema,
  },
  {
    what: 'one of the first starting beside an old one',
    counting: [second],
    starting: [first],
    model: filtering,
    schema: 2,
  },
  {
    what: 'one of the first starting beside an old one, and a loss for both',
    counting: [second, present],
    starting: [first],
    model: encrypted,
    schema: 2,
    isHeldBack: true,
  },
  {
    what: 'one new starting among old ones',
    counting: [second],
    starting: [present],
    model: plain,
    schema: 2,
  },
  { what: 'only starting ones', counting: [], starting: [second], model: plain, schema: 2 },
  {
    what: 'only starting ones, a loss',
    counting: [],
    starting: [second, present],
    model: encrypted,
    schema: 2,
    isHeldBack: true,
  },
  {
    what: 'one starting beside one that has still to answer, a loss',
    counting: [],
    starting: [second],
    unknown: 1,
    published: newestSchema,
    model: encrypted,
    schema: newestSchema,
  },
  {
    what: 'one unknown, an old head',
    counting: [present],
    unknown: 1,
    published: 2,
    model: plain,
    schema: 2,
  },
  {
    what: 'one unknown, an old head, a loss',
    counting: [present],
    unknown: 1,
    published: 2,
    model: encrypted,
    schema: 2,
    isHeldBack: true,
  },
  {
    what: 'one unknown, the newest head',
    counting: [present],
    unknown: 1,
    published: newestSchema,
    model: encrypted,
    schema: newestSchema,
  },
  {
    what: 'one unknown beside an old one',
    counting: [second],
    unknown: 1,
    published: 3,
    model: plain,
    schema: 2,
  },
  { what: 'one unknown, no head', counting: [], unknown: 1, model: encrypted, schema: newestSchema },
  { what: 'one unknown, no head, one old', counting: [second], unknown: 2, model: plain, schema: 2 },
  {
    what: 'all known again',
    counting: [present, present],
    published: 1,
    model: encrypted,
    schema: newestSchema,
  },
  {
    what: 'readers of a later schema too',
    counting: [[...present, 9]],
    model: encrypted,
    schema: newestSchema,
  },
  { what: 'one that reads nothing of ours', counting: [present, [9]], model: plain, schema: 1 },
  { what: 'one that says it reads nothing', counting: [present, []], model: plain, schema: 1 },
];

for (const { what, counting, starting = [], unknown = 0, published, model, schema, isHeldBack } of rows)
  test(what, () => {
    const choice = chooseSchema(model, { running: [...counting, ...starting], counting, unknown }, published);
    assert.equal(choice.schema, schema);
    assert.deepEqual(
      choice.heldBack.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
      isHeldBack === true ? ['IngressRoute x/a.test'] : [],
    );
    if (schema === newestSchema) assert.equal(choice.model, model);
  });

const schemas = fc.constantFrom(first, second, present);

test('a pod that serves is never told what it cannot read, and nobody is held back for the sake of one that starts', () => {
  fc.assert(
    fc.property(
      fc.array(schemas, { maxLength: 3 }),
      fc.array(schemas, { maxLength: 3 }),
      routeModel,
      (counting, starting, model) => {
        const running = [...counting, ...starting];
        const { schema, heldBack } = chooseSchema(model, { running, counting, unknown: 0 }, undefined);
        if (counting.length === 0) {
          assert.ok(running.every((each) => each.includes(schema)));
          return;
        }
        assert.ok(counting.every((each) => each.includes(schema)));
        const alone = chooseSchema(model, { running: counting, counting, unknown: 0 }, undefined);
        assert.deepEqual(heldBack, alone.heldBack);
        if (schema < alone.schema) assert.ok(running.every((each) => each.includes(schema)));
      },
    ),
  );
});

function all(...counting: Understanding['counting']): Understanding {
  return { running: counting, counting, unknown: 0 };
}

test('a pod that says now this and now that changes the schema a few times at once, and then now and then', (context) => {
  const clock = stopClock(context);
  const chooser = new SchemaChooser();
  let published: number | undefined;
  let changes = 0;
  for (let ms = 0; ms < 60_000; ms += 100) {
    const { schema } = chooser.choose(plain, all(ms % 200 === 0 ? present : second), published);
    if (published !== undefined && schema !== published) changes++;
    published = schema;
    clock.advance(100);
  }
  assert.ok(changes >= 3 && changes <= 9, `${changes} changes in a minute`);
});

test('what is put off is told in the schema that stands, and made good when it may be', (context) => {
  const clock = stopClock(context);
  const chooser = new SchemaChooser();
  const old = all(second);
  const young = all(present);
  for (const readers of [young, old, young, old]) chooser.choose(plain, readers, readers === old ? 3 : 2);
  const choice = chooser.choose(encrypted, young, 2);
  assert.deepEqual([choice.schema, choice.heldBack.length], [2, 1]);
  assert.equal(chooser.suits(young), false);
  clock.advance(10_000);
  assert.equal(chooser.choose(encrypted, young, 2).schema, newestSchema);
  assert.equal(chooser.suits(young), true);
  assert.equal(chooser.suits(old), false);
});
