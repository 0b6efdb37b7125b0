// The descriptors of a thread, in memory that another one reads when it is dead.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DescriptorLedger, newDescriptorMemory } from '#transport/descriptor-ledger.ts';

test('another thread finds what is left, once', () => {
  const ledger = new DescriptorLedger();
  ledger.add(3);
  ledger.add(31);
  const memory = newDescriptorMemory();
  ledger.moveTo(memory);
  for (const fd of [32, 63, 64, 1_048_575]) ledger.add(fd);
  ledger.delete(63);
  ledger.delete(31);
  assert.deepEqual(new DescriptorLedger(memory).takeAll(), [3, 32, 64, 1_048_575]);
  assert.deepEqual(new DescriptorLedger(memory).takeAll(), []);
});

test("descriptors beyond it are nobody else's to close", () => {
  const memory = newDescriptorMemory();
  const ledger = new DescriptorLedger(memory);
  ledger.add(1_048_576);
  ledger.delete(1_048_576);
  assert.deepEqual(new DescriptorLedger(memory).takeAll(), []);
});
