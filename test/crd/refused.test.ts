// What the CRD refuses and what it lets through, case by case, as an API server would say it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refText, refOf } from '#api/kubernetes-object.ts';
import { loadCrdValidators } from '#local/crd-file.ts';
import { crdCases } from './crd-case.ts';

const validate = loadCrdValidators().get('flint.dev/v1alpha1 IngressRoute');
assert.ok(validate !== undefined);

for (const { name, object, at, message } of crdCases('refused'))
  test(`refused: ${name}`, () => {
    const problems = validate(object);
    const found = problems.find((problem) => problem.at === at && problem.message.includes(message));
    assert.ok(found !== undefined, `${refText(refOf(object))}: ${JSON.stringify(problems)}`);
    assert.equal(found.reason, 'Invalid');
  });

for (const { name, object } of crdCases('accepted'))
  test(`accepted: ${name}`, () => assert.deepEqual(validate(object), []));
