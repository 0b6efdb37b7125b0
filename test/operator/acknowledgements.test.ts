// Who serves what: asked of every pod by a long poll, counted without those that are gone or silent for too long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Acknowledgements } from '#operator/acknowledgements.ts';
import type { Candidate } from '#operator/members.ts';
import { until } from '../kube/until.ts';
import { stopClock } from './fake-clock.ts';
import { candidate, ScriptedPods } from './scripted-pods.ts';

/** The acknowledgements of a leader that has published the revisions 1 to 20 as `digest-1` and so on. */
class Register {
  readonly pods = new ScriptedPods();
  readonly silent: string[] = [];
  readonly controller = new AbortController();
  readonly acknowledgements: Acknowledgements;
  changes = 0;

  constructor(context: TestContext) {
    context.after(() => this.controller.abort());
    this.acknowledgements = new Acknowledgements({
      ask: this.pods.ask,
      digestOf: (sequence) => (sequence <= 20 ? `digest-${sequence}` : undefined),
      onChange: () => this.changes++,
      onSilence: ({ name }) => this.silent.push(name),
      signal: this.controller.signal,
      silenceMs: 1000,
    });
  }

  update(...candidates: readonly Candidate[]): void {
    this.acknowledgements.update(candidates);
  }

  counted(sequence: number, text: string): Promise<void> {
    return until(`${text} serve revision ${sequence}`, () => this.ratio(sequence) === text);
  }

  ratio(sequence: number): string {
    const { serving, total } = this.acknowledgements.tally(sequence);
    return `${serving}/${total}`;
  }
}

test('a pod counts from the moment it is a candidate, and serves when it says so', async (context) => {
  const register = new Register(context);
  assert.deepEqual(register.acknowledgements.tally(1), { total: 0, serving: 0, laggards: [] });
  register.update(candidate('a'), candidate('b'));
  assert.equal(register.ratio(1), '0/2');
  register.pods.serve('a', 1);
  await register.counted(1, '1/2');
  register.pods.serve('b', 2);
  await register.counted(1, '2/2');
  assert.equal(register.ratio(2), '1/2', 'a newer revision serves for an older one, and not the other way');
  register.pods.serve('a', 2);
  await register.counted(2, '2/2');
  assert.ok(register.changes >= 3);
  assert.equal(register.acknowledgements.count, 2);
});

test('each pod is asked for what is newer than its last answer', async (context) => {
  const register = new Register(context);
  register.update(candidate('a'));
  for (const sequence of [3, 4, 9]) {
    register.pods.serve('a', sequence);
    await register.counted(sequence, '1/1');
  }
  await until('a fourth ask', () => register.pods.asked.length === 4);
  assert.deepEqual(register.pods.asked, ['a after 0', 'a after 3', 'a after 4', 'a after 9']);
});

test('laggards are named with what they say, the first three of them', async (context) => {
  const register = new Register(context);
  register.update(...['a', 'b', 'c', 'd', 'e'].map((name) => candidate(name)));
  register.pods.serve('a', 5);
  register.pods.serve('b', 4);
  const refused = { sequence: 5, refusal: 'ChunkMissing', message: 'there is no chunk x' } as const;
  register.pods.serve('c', 3, { refused });
  await until('three have answered', () => register.ratio(3) === '3/5');
  assert.deepEqual(register.acknowledgements.tally(5), {
    total: 5,
    serving: 1,
    laggards: [
      'b (node-of-b): serves revision 4',
      'c (node-of-c): serves revision 3 and refuses a newer one (ChunkMissing: there is no chunk x)',
      'd (node-of-d): does not answer',
    ],
  });
});

test('a pod that leaves counts no more, and its poll ends', async (context) => {
  const register = new Register(context);
  register.update(candidate('a'), candidate('b'));
  register.pods.serve('a', 1);
  await register.counted(1, '1/2');
  register.update(candidate('a'));
  assert.equal(register.ratio(1), '1/1');
  await until('the poll of b is over', () => register.pods.aborted.includes('b'));
  assert.deepEqual(register.pods.aborted, ['b']);
});

test('a pod that is replaced under its name has to answer for itself', async (context) => {
  const register = new Register(context);
  register.update(candidate('a', 'uid-1'));
  register.pods.serve('a', 1);
  await register.counted(1, '1/1');
  register.update(candidate('a', 'uid-2'));
  assert.equal(register.ratio(1), '0/1');
  register.update({ ...candidate('a', 'uid-2'), urls: ['http://moved:9901'] });
  assert.equal(register.ratio(1), '0/1');
  await register.counted(1, '1/1');
});

test('the same candidates again ask nobody anew', async (context) => {
  const register = new Register(context);
  register.update(candidate('a'));
  register.pods.serve('a', 1);
  await register.counted(1, '1/1');
  await until('a second ask', () => register.pods.asked.length === 2);
  register.update(candidate('a'));
  register.update(candidate('a'));
  assert.equal(register.ratio(1), '1/1');
  assert.equal(register.pods.asked.length, 2);
  assert.deepEqual(register.pods.aborted, []);
});

test('a pod that stays silent is dropped once, and is back with its first answer', async (context) => {
  const clock = stopClock(context);
  const register = new Register(context);
  const { acknowledgements, pods } = register;
  register.update(candidate('a'), candidate('b'));
  pods.serve('a', 1);
  pods.serve('b', 1);
  await register.counted(1, '2/2');
  pods.silence('b');
  await register.counted(1, '1/2');
  clock.advance(999);
  acknowledgements.findSilent();
  assert.deepEqual(register.silent, []);
  assert.equal(register.ratio(1), '1/2');
  // Those that do answer have been heard meanwhile.
  pods.serve('a', 2);
  await register.counted(2, '1/2');
  const { changes } = register;
  clock.advance(1);
  for (let round = 0; round < 3; round++) acknowledgements.findSilent();
  assert.deepEqual(register.silent, ['b']);
  assert.equal(register.ratio(2), '1/1');
  assert.equal(acknowledgements.count, 1);
  assert.equal(register.changes, changes + 1);
  pods.serve('b', 1);
  await register.counted(1, '2/2');
  assert.equal(acknowledgements.count, 2);
  pods.silence('b');
  await register.counted(1, '1/2');
  clock.advance(1000);
  pods.serve('a', 3);
  await register.counted(3, '1/2');
  acknowledgements.findSilent();
  assert.deepEqual(register.silent, ['b', 'b']);
});

test('a pod that has never answered is given the same time', (context) => {
  const clock = stopClock(context);
  const register = new Register(context);
  register.update(candidate('new'));
  clock.advance(999);
  register.acknowledgements.findSilent();
  assert.equal(register.ratio(1), '0/1');
  clock.advance(1);
  register.acknowledgements.findSilent();
  assert.equal(register.ratio(1), '0/0');
  assert.deepEqual(register.silent, ['new']);
});

test('a pod that fails to answer is not known to serve, and is asked from the beginning', async (context) => {
  const register = new Register(context);
  register.update(candidate('a'));
  register.pods.serve('a', 5);
  await register.counted(5, '1/1');
  register.pods.silence('a');
  await register.counted(5, '0/1');
  register.pods.serve('a', 2);
  await register.counted(2, '1/1');
  assert.equal(register.ratio(5), '0/1', 'a pod that restarted may serve less than before');
  assert.ok(register.pods.asked.slice(2).includes('a after 0'));
});

test('beyond is the highest revision that nobody here has published', async (context) => {
  const register = new Register(context);
  const { acknowledgements, pods } = register;
  register.update(candidate('a'), candidate('b'), candidate('c'));
  assert.equal(acknowledgements.beyond(0), 0);
  pods.serve('a', 3);
  pods.serve('b', 7);
  await register.counted(3, '2/3');
  assert.equal(acknowledgements.beyond(7), 0);
  assert.equal(acknowledgements.beyond(5), 7);
  pods.serve('c', 50, { digest: 'of a head that was lost' });
  await until('c has answered', () => acknowledgements.beyond(20) === 50);
});

test('a pod that serves another content under a number of ours is astray: it counts as beyond, and serves nothing', async (context) => {
  const register = new Register(context);
  const { acknowledgements, pods } = register;
  register.update(candidate('a'), candidate('b'));
  pods.serve('a', 4);
  pods.serve('b', 4, { digest: 'another' });
  await until('b has answered', () => acknowledgements.beyond(9) === 4);
  assert.equal(register.ratio(4), '1/2');
  assert.equal(register.ratio(1), '1/2');
  pods.serve('b', 5);
  await register.counted(4, '2/2');
  assert.equal(acknowledgements.beyond(9), 0);
});

test('a pod that serves a number which nobody here has published serves nothing of ours', async (context) => {
  const register = new Register(context);
  register.update(candidate('a'));
  register.pods.serve('a', 50, { digest: 'of a head that was lost' });
  await until('a has answered', () => register.acknowledgements.beyond(1) === 50);
  assert.equal(register.ratio(1), '0/1');
});

test('without candidates every poll is aborted', async (context) => {
  const register = new Register(context);
  register.update(candidate('a'), candidate('b'), candidate('c'));
  register.pods.serve('a', 1);
  await register.counted(1, '1/3');
  // The one that answered is asked again after a pause.
  await until('all are being asked', () => register.pods.asked.length === 4);
  register.update();
  await until('all polls are over', () => register.pods.aborted.length === 3);
  assert.deepEqual(register.acknowledgements.tally(1), { total: 0, serving: 0, laggards: [] });
  const { length } = register.pods.asked;
  register.pods.serve('a', 2);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(register.pods.asked.length, length);
});

test('the end of leading aborts every poll, and nobody is asked after it', async (context) => {
  const register = new Register(context);
  register.update(candidate('a'), candidate('b'));
  await until('both are asked', () => register.pods.asked.length === 2);
  register.controller.abort();
  await until('all polls are over', () => register.pods.aborted.length === 2);
  register.update(candidate('c'));
  assert.equal(register.acknowledgements.count, 0);
  assert.equal(register.pods.asked.length, 2);
});

test('a pod that answers at once, whatever it is asked for, is not asked without a pause', async (context) => {
  let asked = 0;
  const acknowledgements = new Acknowledgements({
    ask: () => {
      asked++;
      return Promise.resolve({ sequence: asked, digest: 'd', schemas: [1], workers: 1, refused: null });
    },
    digestOf: () => undefined,
    onChange: () => {},
    onSilence: () => {},
    signal: abortedAtTheEnd(context),
  });
  acknowledgements.update([candidate('a')]);
  for (let turn = 0; turn < 1000; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(asked < 100, `${asked} questions`);
});

test('a pod that claims a revision beyond all reason is not believed', async (context) => {
  const register = new Register(context);
  register.pods.serve('a', 2 ** 52, { digest: 'x' });
  register.pods.serve('b', 7, { digest: 'x' });
  register.update(candidate('a'), candidate('b'));
  await until('both have answered', () => register.acknowledgements.beyond(3) > 0);
  assert.equal(register.acknowledgements.beyond(3), 7);
});

function abortedAtTheEnd(context: TestContext): AbortSignal {
  const controller = new AbortController();
  context.after(() => controller.abort());
  return controller.signal;
}

function unready(name: string): Candidate {
  return { ...candidate(name), counts: false };
}

test('a pod that is not ready is asked and counts for nothing, until it is', async (context) => {
  const clock = stopClock(context);
  const register = new Register(context);
  const { acknowledgements, pods } = register;
  pods.serve('a', 1);
  register.update(candidate('a'), unready('starting'));
  await register.counted(1, '1/1');
  await until('it is asked', () => pods.asked.includes('starting after 0'));
  assert.equal(acknowledgements.count, 1);
  // However long it takes to start, nobody waits for it, or misses it.
  clock.advance(600_000);
  pods.serve('a', 2);
  await register.counted(2, '1/1');
  acknowledgements.findSilent();
  assert.deepEqual(register.silent, []);
  register.update(candidate('a'), candidate('starting'));
  assert.equal(register.ratio(2), '1/2');
  acknowledgements.findSilent();
  assert.deepEqual(register.silent, [], 'its time to answer begins when it is ready');
  pods.serve('starting', 2);
  await register.counted(2, '2/2');
  register.update(candidate('a'), unready('starting'));
  assert.equal(register.ratio(2), '1/1');
  assert.equal(pods.aborted.length, 0, 'it is the same pod, which is asked on');
});

test('understanding is what each pod has said, ready or not, and how many have still to say it', async (context) => {
  const clock = stopClock(context);
  const register = new Register(context);
  const { acknowledgements, pods } = register;
  const sorted = (lists: readonly (readonly number[])[]): readonly string[] =>
    lists.map((list) => list.join()).sort();
  assert.deepEqual(acknowledgements.understanding, { running: [], counting: [], unknown: 0 });
  register.update(candidate('a'), candidate('b'), unready('c'), unready('d'));
  assert.deepEqual(acknowledgements.understanding, { running: [], counting: [], unknown: 2 });
  pods.serve('a', 1, { schemas: [1, 2, 3] });
  pods.serve('c', 1, { schemas: [1, 2] });
  await until('two have answered', () => acknowledgements.understanding.running.length === 2);
  assert.deepEqual(sorted(acknowledgements.understanding.running), ['1,2', '1,2,3']);
  assert.deepEqual(sorted(acknowledgements.understanding.counting), ['1,2,3']);
  assert.equal(acknowledgements.understanding.unknown, 1);
  pods.silence('d');
  clock.advance(1000);
  pods.serve('a', 2, { schemas: [1, 2, 3] });
  await register.counted(2, '1/2');
  acknowledgements.findSilent();
  assert.equal(acknowledgements.understanding.unknown, 0, 'who is silent is waited for no longer');
  register.update(candidate('a'));
  assert.deepEqual(acknowledgements.understanding, {
    running: [[1, 2, 3]],
    counting: [[1, 2, 3]],
    unknown: 0,
  });
});
