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

/**
 * In groups of which no place is part of another: what is taken out of one changes nothing for the cases of the others, and
 * compiling a CRD takes so long that it is done once for all of them.
 */
function apartFromEachOther(all: readonly Removal[]): readonly (readonly Removal[])[] {
  const groups: Removal[][] = [];
  for (const removal of all) {
    const isApart = ({ at }: Removal): boolean => !at.startsWith(removal.at) && !removal.at.startsWith(at);
    const group = groups.find((each) => each.every(isApart));
    if (group === undefined) groups.push([removal]);
    else group.push(removal);
  }
  return groups;
}

test('taking any validation out of the CRD is noticed by a case', () => {
  const whole = readCrd();
  const validateWhole = validatorOf(whole);
  const sound = cases.filter((each) => isRefusedAsExpected(validateWhole, each));
  const all = removals(whole);
  assert.ok(all.length > 80, `${all.length} validations`);
  // A validation complains of its own place or of one below it.
  const nearTo = ({ at }: Removal): readonly CrdCase[] =>
    sound.filter((each) => schemaPlace(each.at).startsWith(at));
  const unnoticed = all.filter((removal) => nearTo(removal).length === 0);
  for (const apart of apartFromEachOther(all.filter((removal) => nearTo(removal).length > 0))) {
    const crd = structuredClone(whole);
    const schemas = new Map(schemasOf(crd).map((place) => [place.at, place.schema]));
    for (const { at, remove } of apart) remove(schemas.get(at)!);
    const validate = validatorOf(crd);
    for (const removal of apart)
      if (nearTo(removal).every((each) => isRefusedAsExpected(validate, each))) unnoticed.push(removal);
  }
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
