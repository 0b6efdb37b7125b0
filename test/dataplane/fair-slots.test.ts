// A bound on what is done at a time: lanes take turns, and many that hang in one lane hold up no other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FairSlots, Lane } from '#dataplane/fair-slots.ts';

class Recorded {
  readonly started: string[] = [];
  readonly slots: FairSlots<string>;

  constructor(slots: number) {
    this.slots = new FairSlots({ slots, start: (item) => this.started.push(item) });
  }

  addAll(lane: Lane<string>, name: string, count: number): void {
    for (let each = 0; each < count; each++) this.slots.add(lane, `${name}${each}`);
  }

  countOf(name: string): number {
    return this.started.filter((item) => item.startsWith(name)).length;
  }
}

test('what may start starts at once, in its order, and the rest when something is over', () => {
  const { slots, started } = new Recorded(2);
  const lane = new Lane<string>();
  for (const item of ['a', 'b', 'c', 'd']) slots.add(lane, item);
  assert.deepEqual(started, ['a'], 'one lane has half of the slots');
  slots.release(lane);
  slots.release(lane);
  slots.release(lane);
  assert.deepEqual(started, ['a', 'b', 'c', 'd']);
});

test('a lane in which everything hangs leaves half of the slots to others', () => {
  const recorded = new Recorded(64);
  const hanging = new Lane<string>();
  recorded.addAll(hanging, 'hanging', 1000);
  assert.equal(recorded.countOf('hanging'), 32);
  for (let each = 0; each < 100; each++) {
    const lane = new Lane<string>();
    recorded.slots.add(lane, 'other');
    assert.equal(recorded.countOf('other'), each + 1, 'it starts at once');
    recorded.slots.release(lane);
  }
  assert.equal(recorded.countOf('hanging'), 32);
});

test('lanes take turns, however much waits in one of them', () => {
  const recorded = new Recorded(8);
  const [many, few] = [new Lane<string>(), new Lane<string>()];
  const blocking = new Lane<string>();
  recorded.addAll(blocking, 'blocking', 4);
  recorded.addAll(many, 'many', 100);
  recorded.addAll(few, 'few', 3);
  assert.equal(recorded.countOf('many') + recorded.countOf('few'), 2, 'a share of one each');
  for (let each = 0; each < 4; each++) recorded.slots.release(blocking);
  const next = recorded.started.slice(6);
  assert.ok(next.some((item) => item.startsWith('few')) && next.some((item) => item.startsWith('many')));
});

test('what is removed does not start', () => {
  const { slots, started } = new Recorded(2);
  const lane = new Lane<string>();
  for (const item of ['a', 'b', 'c']) slots.add(lane, item);
  slots.remove(lane, 'b');
  slots.release(lane);
  slots.release(lane);
  assert.deepEqual(started, ['a', 'c']);
});

test('never more than the slots; whoever waits while slots are free has its share and more; in the end all is done', () => {
  const steps = fc.array(fc.record({ lane: fc.nat(9), isRelease: fc.boolean() }), { maxLength: 300 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 16 }), (all, slots) => {
      let started = 0;
      const fair = new FairSlots<number>({ slots, start: () => started++ });
      const lanes = Array.from({ length: 10 }, () => new Lane<number>());
      const running = (): number => lanes.reduce((sum, lane) => sum + lane.running, 0);
      let added = 0;
      for (const step of all) {
        const lane = lanes[step.lane]!;
        if (!step.isRelease) fair.add(lane, added++);
        else if (lane.running > 0) fair.release(lane);
        assert.ok(running() <= slots);
        if (running() < slots)
          for (const each of lanes)
            assert.ok(each.waiting.size === 0 || (each.running >= slots / 8 && running() >= slots / 2));
      }
      for (let lane = lanes.find((each) => each.running > 0); lane !== undefined;) {
        fair.release(lane);
        lane = lanes.find((each) => each.running > 0);
      }
      assert.equal(started, added);
    }),
  );
});
