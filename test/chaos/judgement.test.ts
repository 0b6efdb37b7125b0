// What the soak lets pass, and what it does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explanation } from '../../hack/soak-judgement.ts';
import type { Failure, Killing } from '../../hack/soak-judgement.ts';
import type { Harm } from '../../hack/soak-orders.ts';
import type { AccessLine } from '../e2e/flint-process.ts';

const failure: Failure = {
  id: 'a',
  client: 'tiny',
  isIdempotent: true,
  kind: 'Status',
  text: 'status 502',
  beganMs: 1000,
  endedMs: 1100,
};
const harm: Harm = { kind: 'Harm', id: 'a', port: 9000, mood: 'resets', isFirst: true };

function line(fault: string, attempts = 1): AccessLine {
  return { path: '/', status: 502, fault, attempts, endpoint: '127.0.0.1:9000' };
}

function killed(port: number, fromMs: number, toMs: number): readonly Killing[] {
  return [{ port, fromMs, toMs }];
}

test('a harm that the backend tells of explains the fault that it must look like, and no other', () => {
  assert.equal(explanation(failure, line('backend-reset'), harm, []), 'its backend resets');
  assert.equal(explanation(failure, line('backend-timeout'), harm, []), undefined);
  assert.equal(explanation(failure, line('connect-refused'), harm, []), undefined);
  assert.equal(explanation(failure, line('backend-reset'), { ...harm, mood: 'slow' }, []), undefined);
  assert.equal(explanation(failure, line('backend-reset'), undefined, []), undefined);
});

test('a reset of a used connection must be met by another try, where the method allows it', () => {
  const used = { ...harm, isFirst: false };
  assert.equal(explanation(failure, line('backend-reset', 1), used, []), undefined);
  assert.equal(explanation(failure, line('backend-reset', 2), used, []), 'its backend resets');
  const post = { ...failure, isIdempotent: false };
  assert.equal(explanation(post, line('backend-reset', 1), used, []), 'its backend resets');
});

test('what should never have come is never explained', () => {
  const wrong: Failure = { ...failure, kind: 'Wrong' };
  assert.equal(explanation(wrong, line('backend-reset'), harm, killed(9000, 1000, 1100)), undefined);
});

test('an endpoint that was killed explains what it had at that time, and no refusal', () => {
  const reset = line('backend-reset');
  assert.equal(explanation(failure, reset, undefined, killed(9000, 1050, 1060)), 'its backend was killed');
  assert.equal(explanation(failure, reset, undefined, killed(9000, 1101, 1200)), undefined);
  assert.equal(explanation(failure, reset, undefined, killed(9001, 1050, 1060)), undefined);
  assert.equal(explanation(failure, line('connect-refused'), undefined, killed(9000, 1050, 1060)), undefined);
});

test('a thread that was killed explains a break of which nothing bad was logged, and nothing else', () => {
  const broken: Failure = { ...failure, kind: 'Broken' };
  const killings = killed(0, 1050, 1060);
  assert.equal(explanation(broken, undefined, undefined, killings), 'its thread was killed');
  assert.equal(explanation(failure, undefined, undefined, killings), undefined);
  const done = { ...line(''), status: 200 };
  assert.equal(explanation(broken, done, undefined, killings), 'its thread was killed');
  assert.equal(explanation(broken, line('backend-reset'), undefined, killings), undefined);
  // The line of what the backend had spoilt is lost with the thread, too.
  assert.equal(explanation(failure, undefined, harm, killings), 'its backend resets');
  assert.equal(explanation(failure, undefined, harm, []), undefined);
  assert.equal(explanation(failure, undefined, { ...harm, mood: 'slow' }, killings), undefined);
  assert.equal(explanation(broken, undefined, undefined, killed(0, 2000, 3000)), undefined);
});
