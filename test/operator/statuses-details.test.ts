// What stands in a status beside the judgement, addresses and certificates: told when it is so, at its pace, and never at
// the expense of the judgement.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Address } from '#operator/addresses.ts';
import { addressOf } from '#operator/addresses.ts';
import type { ServedCertificate } from '#translate/verdict.ts';
import { until } from '../kube/until.ts';
import { stopClock } from './fake-clock.ts';
import { accepted, editSpec, notFound, Office, proved, rejected, storeOf, invalid } from './office.ts';
import type { Route } from './office.ts';
import { candidate } from './scripted-pods.ts';

const here: readonly Address[] = [addressOf('192.0.2.1'), addressOf('lb.example.com')];
const there: readonly Address[] = [addressOf('192.0.2.9')];

function certificate(secretName: string, year: number): ServedCertificate {
  return { secretName, notAfter: `${year}-01-01T00:00:00Z`, dnsNames: ['a.test'] };
}

const old = certificate('web-tls', 2026);
const renewed = certificate('web-tls', 2027);

function secured(name: string, ...certificates: readonly ServedCertificate[]): Route {
  return { ...accepted(name), certificates };
}

/** Every object with its written status as a watch shows it. */
async function shown(office: Office, names: readonly string[]): Promise<void> {
  await office.settle();
  for (const name of names) office.observe(name);
  await office.settle();
  office.api.writes.length = 0;
}

test('addresses are part of the first status that says anything', async (context) => {
  stopClock(context);
  const office = new Office(context, storeOf('web', 'broken'));
  office.statuses.announce(here);
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  office.publish(1, [accepted('web'), rejected('broken', invalid)]);
  await office.told('web', 'Ready', 'True Programmed');
  assert.deepEqual(office.status('web')?.addresses, here);
  await office.told('broken', 'Ready', 'False Pending');
});

test('before anybody knows the addresses, those that stand in a status stay there', async (context) => {
  const clock = stopClock(context);
  const before = await proved(context, 'web');
  before.statuses.announce(here);
  before.statuses.refresh();
  await shown(before, ['web']);
  assert.deepEqual(before.status('web')?.addresses, here);
  const next = new Office(context, before.api, before.pods);
  next.acknowledgements.update([candidate('a')]);
  next.publish(2, [accepted('web')]);
  await next.settle();
  clock.advance(30_000);
  await next.settle();
  assert.deepEqual(next.writes, []);
  // Also when something else has to be told meanwhile.
  editSpec(next.api, 'web', '/new');
  next.pods.serve('a', 3);
  next.publish(3, [accepted('web')]);
  await until('generation 2 is told', () => next.status('web')?.observedGeneration === 2);
  assert.deepEqual(next.status('web')?.addresses, here);
  next.statuses.announce(here);
  await shown(next, ['web']);
  assert.deepEqual(next.writes, []);
});

test('new addresses are one write for every object, so many a second', async (context) => {
  const clock = stopClock(context);
  const names = Array.from({ length: 120 }, (_, index) => `web-${index}`);
  const office = new Office(context, storeOf(...names));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  await until('a has answered', () => office.acknowledgements.tally(1).serving === 1);
  const all = names.map((name) => accepted(name));
  office.publish(1, all);
  await until('all are ready', () => names.every((name) => office.said(name, 'Ready') === 'True Programmed'));
  await shown(office, names);
  office.statuses.announce(here);
  office.statuses.refresh();
  await office.settle();
  assert.equal(office.writes.length, 50);
  // Nobody writes more because of more to do.
  await office.settle();
  assert.equal(office.writes.length, 50);
  let seconds = 0;
  for (; office.writes.length < names.length; seconds++) {
    assert.ok(seconds < 20, `${office.writes.length} after ${seconds} s`);
    clock.advance(1000);
    const before: number = office.writes.length;
    await office.settle();
    assert.ok(office.writes.length - before <= 51);
  }
  assert.equal(new Set(office.writes).size, names.length);
  for (const name of names) assert.deepEqual(office.status(name)?.addresses, here);
  await shown(office, names);
  clock.advance(10_000);
  await office.settle();
  assert.deepEqual(office.writes, []);
});

test('a judgement does not wait for the pace of addresses, and takes them along', async (context) => {
  stopClock(context);
  const names = Array.from({ length: 60 }, (_, index) => `web-${index}`);
  const office = new Office(context, storeOf(...names));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  await until('a has answered', () => office.acknowledgements.tally(1).serving === 1);
  office.publish(
    1,
    names.map((name) => accepted(name)),
  );
  await until('all are ready', () => names.every((name) => office.said(name, 'Ready') === 'True Programmed'));
  await shown(office, names);
  office.statuses.announce(here);
  office.statuses.refresh();
  await office.settle();
  const late = names.filter((name) => office.status(name)?.addresses?.length === 0);
  assert.equal(late.length, 10);
  const [name = ''] = late;
  editSpec(office.api, name, '/new');
  office.pods.serve('a', 2);
  office.publish(
    2,
    names.map((each) => accepted(each)),
  );
  await until('generation 2 is told', () => office.status(name)?.observedGeneration === 2);
  assert.deepEqual(office.status(name)?.addresses, here);
});

test('other addresses before the first ones are all told: the last ones stay', async (context) => {
  const clock = stopClock(context);
  const office = await proved(context, 'web');
  office.statuses.announce(here);
  office.statuses.announce(there);
  office.statuses.refresh();
  await office.settle();
  assert.deepEqual(office.writes, ['PATCH web']);
  clock.advance(5000);
  await office.settle();
  assert.deepEqual(office.status('web')?.addresses, there);
});

test('a certificate is told when every pod serves it, in the write that says Ready', async (context) => {
  stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a'), candidate('b')]);
  office.publish(1, [secured('web', old)]);
  await office.told('web', 'Ready', 'False Pending');
  assert.deepEqual(office.status('web')?.certificates, []);
  office.pods.serve('b', 1);
  await office.told('web', 'Ready', 'True Programmed');
  assert.deepEqual(office.status('web')?.certificates, [old]);
  await office.settle();
  assert.equal(office.writes.length, 2);
});

test('a renewal never takes Ready away, and is told once when the last pod serves it', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('web'));
  for (const name of ['a', 'slow']) office.pods.serve(name, 1);
  office.acknowledgements.update([candidate('a'), candidate('slow')]);
  office.publish(1, [secured('web', old)]);
  await office.told('web', 'Ready', 'True Programmed');
  await shown(office, ['web']);
  const said = office.status('web');
  office.publish(2, [secured('web', renewed)]);
  office.pods.serve('a', 2);
  await until('a has answered', () => office.acknowledgements.tally(2).serving === 1);
  for (let seconds = 0; seconds < 100; seconds++) {
    clock.advance(1000);
    office.statuses.refresh();
  }
  await office.settle();
  assert.deepEqual(office.writes, [], 'what is told is what everybody serves');
  assert.deepEqual(office.status('web'), said);
  office.pods.serve('slow', 2);
  await until('it is told', () => office.status('web')?.certificates?.[0]?.notAfter === renewed.notAfter);
  await office.settle();
  assert.deepEqual(office.writes, ['PATCH web']);
  assert.deepEqual(office.status('web')?.conditions, said?.conditions);
  // As the pods that come and go, and the next revision, change nothing of it.
  await shown(office, ['web']);
  office.acknowledgements.update([candidate('a'), candidate('slow'), candidate('late')]);
  office.publish(3, [secured('web', renewed)]);
  await office.settle();
  assert.deepEqual(office.writes, []);
});

test('of two renewals on the way the last is told, when everybody serves that one', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  office.publish(1, [secured('web', old)]);
  await office.told('web', 'Ready', 'True Programmed');
  await shown(office, ['web']);
  const last = certificate('web-tls', 2028);
  office.publish(2, [secured('web', renewed)]);
  office.publish(3, [secured('web', last)]);
  office.pods.serve('a', 2);
  await until('a has answered', () => office.acknowledgements.tally(2).serving === 1);
  clock.advance(5000);
  await office.settle();
  assert.deepEqual(office.status('web')?.certificates, [old]);
  office.pods.serve('a', 3);
  await until('it is told', () => office.status('web')?.certificates?.[0]?.notAfter === last.notAfter);
  assert.deepEqual(office.writes, ['PATCH web']);
});

test('a certificate that is gone is told with what became of the object', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  office.publish(1, [secured('web', old)]);
  await office.told('web', 'Ready', 'True Programmed');
  await shown(office, ['web']);
  const pending = { ...notFound, reason: 'CertificatePending' } as const;
  office.pods.serve('a', 2);
  office.publish(2, [accepted('web', pending)]);
  await until('a has answered', () => office.acknowledgements.tally(2).serving === 1);
  clock.advance(500);
  office.statuses.refresh();
  await office.told('web', 'Ready', 'False CertificatePending');
  assert.deepEqual(office.status('web')?.certificates, []);
});

test('what some pods cannot do is told, waits for them to go, and is told again when it is served', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('web'));
  for (const name of ['old', 'new']) office.pods.serve(name, 1);
  office.acknowledgements.update([candidate('old'), candidate('new')]);
  const publish = (sequence: number, ...heldBack: readonly string[]): void =>
    office.publish(sequence, [secured('web', old)], undefined, heldBack);
  publish(1, 'web');
  await office.told('web', 'Ready', 'False DataPlaneTooOld');
  assert.equal(office.said('web', 'Programmed'), 'False DataPlaneTooOld');
  assert.equal(office.said('web', 'Accepted'), 'True Accepted');
  assert.equal(office.said('web', 'Reconciling'), 'True DataPlaneTooOld');
  assert.deepEqual(office.status('web')?.certificates, []);
  await shown(office, ['web']);
  // A rollout: pods come and go, revision after revision.
  for (let round = 2; round < 12; round++) {
    clock.advance(1000);
    office.acknowledgements.update([candidate('old'), candidate(`new-${round}`)]);
    office.pods.serve('old', round);
    publish(round, 'web');
    await office.settle();
  }
  assert.deepEqual(office.writes, [], 'nothing of that is news for the object');
  clock.advance(60_000);
  office.statuses.refresh();
  await office.told('web', 'Stalled', 'True DataPlaneTooOld');
  await shown(office, ['web']);
  office.acknowledgements.update([candidate('new')]);
  publish(12);
  await office.settle();
  assert.deepEqual(office.writes, [], 'the new revision is not served yet');
  office.pods.serve('new', 12);
  await office.told('web', 'Ready', 'True Programmed');
  assert.equal(office.said('web', 'Stalled'), undefined);
  assert.deepEqual(office.status('web')?.certificates, [old]);
});

test('what was served and then cannot be, for want of new pods, is Ready no more', async (context) => {
  const clock = stopClock(context);
  const office = await proved(context, 'web');
  office.publish(2, [accepted('web')], undefined, ['web']);
  office.pods.serve('a', 2);
  await until('a has answered', () => office.acknowledgements.tally(2).serving === 1);
  await office.settle();
  assert.deepEqual(office.writes, [], 'it may be over in a moment');
  clock.advance(1000);
  office.statuses.refresh();
  await office.told('web', 'Ready', 'False DataPlaneTooOld');
});
