// Claims as they are stored: what stayed the same is the same value, so that encoding it costs nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger, claimsOf } from '#operator/ledger.ts';
import type { Claim, Claims } from '#translate/cluster-view.ts';

const claim: Claim = { namespace: 'x', since: '2026-01-01T00:00:00Z' };
const other: Claim = { namespace: 'y', since: '2026-02-01T00:00:00Z' };

test('entries say what the claims say, and read back they are these claims', () => {
  const claims: Claims = new Map([
    ['a.test', claim],
    ['*.b.test', other],
  ]);
  const entries = new Ledger().entriesOf(claims);
  assert.deepEqual(entries, [
    { host: 'a.test', ...claim },
    { host: '*.b.test', ...other },
  ]);
  assert.deepEqual(claimsOf(entries), claims);
});

test('the same claims are the same list, and one that stayed is the same entry', () => {
  const ledger = new Ledger();
  const first = ledger.entriesOf(new Map([['a.test', claim]]));
  assert.equal(ledger.entriesOf(new Map([['a.test', claim]])), first);
  const second = ledger.entriesOf(
    new Map([
      ['a.test', { ...claim }],
      ['b.test', other],
    ]),
  );
  assert.equal(second[0], first[0]);
  const third = ledger.entriesOf(new Map([['a.test', other]]));
  assert.deepEqual(third, [{ host: 'a.test', ...other }]);
  assert.deepEqual(ledger.entriesOf(new Map()), []);
  assert.deepEqual(ledger.entriesOf(new Map([['a.test', claim]])), first);
});
