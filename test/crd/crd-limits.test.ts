// What every schema of the CRD owes to the API server: bounds everywhere, no defaults in the spec, and a size that can be applied.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCrd, schemasOf } from './crd-schema.ts';

/** `kubectl apply` keeps the last applied object in an annotation, and annotations hold no more than this. */
const annotationBytes = 262_144;

/** Fields of every object, which the API server knows by itself. */
const ownSchemas = new Set(['apiVersion', 'kind', 'metadata']);

const crd = readCrd();
const schemas = schemasOf(crd).filter(({ at }) => !ownSchemas.has(at));

function assertEach(of: (type: unknown) => boolean, law: (schema: Record<string, unknown>) => boolean): void {
  const wrong = schemas.filter(({ schema }) => of(schema['type']) && !law(schema)).map(({ at }) => at);
  assert.deepEqual(wrong, []);
}

test('there is something to look at', () => assert.ok(schemas.length > 50));

test('the CRD can be applied from the client: it fits in an annotation', () => {
  assert.ok(Buffer.byteLength(JSON.stringify(crd)) < annotationBytes);
});

test('no schema of the spec has a default: what is stored is what was applied', () => {
  const defaults = schemas.filter(({ schema }) => Object.hasOwn(schema, 'default'));
  // Whoever applies an object says nothing of its status; without one it would look done to tools that wait.
  assert.deepEqual(
    defaults.map(({ at, schema }) => [at, schema['default']]),
    [['status', { observedGeneration: 0 }]],
  );
});

test('no schema keeps unknown fields or takes anything', () => {
  assertEach(
    () => true,
    (schema) =>
      Object.keys(schema).every(
        (key) =>
          !/^(?:additionalProperties|x-kubernetes-(?:preserve-unknown|int-or-string|embedded).*)$/.test(key),
      ),
  );
});

test('every schema has one of the types', () => {
  const types = new Set(['object', 'array', 'string', 'integer', 'boolean']);
  assertEach(
    (type) => !types.has(String(type)),
    () => false,
  );
});

test('every list says how many entries it may have, and what kind of list it is', () => {
  assertEach(
    (type) => type === 'array',
    (schema) => typeof schema['maxItems'] === 'number' && schema['items'] !== undefined,
  );
  assertEach(
    (type) => type === 'array',
    (schema) => /^(?:atomic|set|map)$/.test(String(schema['x-kubernetes-list-type'])),
  );
});

test('the keys of a list of type map are required and have a bound', () => {
  assertEach(
    (type) => type === 'array',
    (schema) => {
      if (schema['x-kubernetes-list-type'] !== 'map') return true;
      const keys = schema['x-kubernetes-list-map-keys'] as readonly string[];
      const items = schema['items'] as { required: readonly string[] };
      return keys.length > 0 && keys.every((key) => items.required.includes(key));
    },
  );
});

test('every string has a bound: a length, a list of words, or a format', () => {
  assertEach(
    (type) => type === 'string',
    (schema) => ['maxLength', 'enum', 'format'].some((keyword) => Object.hasOwn(schema, keyword)),
  );
});

test('every number of the spec has both bounds, or a list of what it may be', () => {
  const unbounded = schemas.filter(
    ({ at, schema }) =>
      at.startsWith('spec') &&
      schema['type'] === 'integer' &&
      schema['enum'] === undefined &&
      (schema['minimum'] === undefined || schema['maximum'] === undefined),
  );
  assert.deepEqual(unbounded, []);
});

test('every pattern is anchored at both ends', () => {
  assertEach(
    () => true,
    ({ pattern }) => pattern === undefined || (typeof pattern === 'string' && /^\^.*\$$/.test(pattern)),
  );
});

test('every rule has a message for the user', () => {
  assertEach(
    () => true,
    (schema) =>
      ((schema['x-kubernetes-validations'] ?? []) as readonly { message?: string }[]).every(
        ({ message }) => message !== undefined && message !== '',
      ),
  );
});
