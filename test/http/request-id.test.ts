// Request ids: their form, and that batches do not repeat.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newRequestId } from '#http/request-id.ts';

test('ids are 32 hex digits and do not repeat', () => {
  const ids = Array.from({ length: 2000 }, () => newRequestId());
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  assert.equal(new Set(ids).size, ids.length);
});
