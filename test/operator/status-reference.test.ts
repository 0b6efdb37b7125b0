// docs/reference/status.md lists the reasons that an object may be told, all of them and no others.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { problemReasons } from '#api/problem.ts';
import { proofReasons } from '#operator/judge.ts';

const page = readFileSync(new URL('../../docs/reference/status.md', import.meta.url), 'utf8');

test('every reason stands in the reference, and every one there is a reason', () => {
  const section = page.slice(page.indexOf('## Reasons'), page.indexOf('## The other fields'));
  const listed = [...section.matchAll(/^\| `([A-Za-z]+)` \|/gm)].map(([, reason]) => reason);
  // A note takes nothing away from what was asked for, and is in no condition.
  const told = [...problemReasons.filter((reason) => reason !== 'TooManyEndpoints'), ...proofReasons];
  assert.deepEqual(new Set(listed), new Set(told));
  assert.equal(listed.length, told.length);
});
