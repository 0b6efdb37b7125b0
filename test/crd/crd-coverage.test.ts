// Every validation of the CRD is the reason of some refused case: without it, that case would not be refused so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileCrd } from '#api/crd-validation.ts';
import type { Crd, CrdValidator } from '#api/crd-validation.ts';
import { crdCases } from './crd-case.ts';
import type { CrdCase } from './crd-case.ts';
import { readCrd, schemasOf } from './crd-schema.ts';
import type { Schema } from './crd-schema.ts';

const bounds = ['enum', 'pattern', 'minLength', 'maxLength', 'minItems', 'maxItems', 'minimum', 'maximum'];
const cases = crdCases('refused');

interface Removal {
  /** As `spec.rules[].name`. */
  readonly at: string;
  readonly what: string;
  /** Takes the validation out of the schema, in place. */
  readonly remove: (schema: Schema) => void;
}

/** Every single validation that could be taken out. Types are left: without them a schema means nothing. */
function removals(crd: Crd): readonly Removal[] {
  return schemasOf(crd).flatMap(({ at, schema }) => {
    const found: Removal[] = bounds
      .filter((keyword) => Object.hasOwn(schema, keyword))
      .map((keyword) => ({ at, what: keyword, remove: (each) => delete each[keyword] }));
    for (const [index, name] of ((schema['required'] ?? []) as readonly string[]).entries())
      found.push({
        at,
        what: `required ${name}`,
        remove: (each) => (each['required'] as string[]).splice(index, 1),
      });
    for (const [index, { message }] of rulesOf(schema).entries())
      found.push({ at, what: `rule "${message}"`, remove: (each) => rulesOf(each).splice(index, 1) });
    if (schema['x-kubernetes-list-type'] === 'set' || schema['x-kubernetes-list-type'] === 'map')
      found.push({ at, what: 'list type', remove: makeAtomic });
    return found;
  });
}

function rulesOf(schema: Schema): { message: string }[] {
  return (schema['x-kubernetes-validations'] ?? []) as { message: string }[];
}

function makeAtomic(schema: Schema): void {
  schema['x-kubernetes-list-type'] = 'atomic';
  delete schema['x-kubernetes-list-map-keys'];
}

/** `spec.rules[0].name` -> `spec.rules[].name`. */
function schemaPlace(at: string): string {
  return at.replaceAll(/\[[0-9]+\]/g, '[]');
}

function isRefusedAsExpected(validate: CrdValidator, { object, at, message }: CrdCase): boolean {
  return validate(object).some((problem) => problem.at === at && problem.message.includes(message));
}

function validatorOf(crd: Crd): CrdValidator {
  const [validate] = compileCrd(crd).values();
  assert.ok(validate !== undefined);
  return validate;
}

test('taking any validation out of the CRD is noticed by a case', () => {
  const whole = readCrd();
  const validateWhole = validatorOf(whole);
  const sound = cases.filter((each) => isRefusedAsExpected(validateWhole, each));
  const all = removals(whole);
  assert.ok(all.length > 80, `${all.length} validations`);
  const unnoticed = all.filter(({ at, remove }) => {
    // A validation complains of its own place or of one below it.
    const near = sound.filter((each) => schemaPlace(each.at).startsWith(at));
    if (near.length === 0) return true;
    const crd = structuredClone(whole);
    const place = schemasOf(crd).find((each) => each.at === at);
    if (place !== undefined) remove(place.schema);
    const validate = validatorOf(crd);
    return near.every((each) => isRefusedAsExpected(validate, each));
  });
  assert.deepEqual(
    unnoticed.map(({ at, what }) => `${at}: ${what}`),
    [],
  );
});

test('every object of the CRD has a case with an unknown field', () => {
  const objects = schemasOf(readCrd()).filter(({ schema }) => schema['properties'] !== undefined);
  const places = new Set(
    cases
      .filter(({ message }) => message === 'is an unknown field')
      .map(({ at }) => schemaPlace(at).replace(/(?:^|\.)[^.]*$/, '')),
  );
  assert.deepEqual(
    objects.map(({ at }) => at).filter((at) => !places.has(at)),
    [],
  );
});
