// How short memory is: the levels with what lies between them, what threads are asked for, and what counts as in use.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryPressure, newPressureMemory } from '#dataplane/memory-pressure.ts';
import { MemoryLevel } from '#proxy/memory-level.ts';

class Scene {
  heldBytes = 0;
  inUse = 0;
  readonly reliefs: number[] = [];
  readonly levels: number[] = [];
  readonly memory: SharedArrayBuffer = newPressureMemory();
  readonly pressure: MemoryPressure;
  #nowMs = 0;

  constructor(limitBytes = 1000) {
    this.pressure = new MemoryPressure(this.memory, {
      gauge: { limitBytes, read: () => this.heldBytes },
      bytesInUse: () => this.inUse,
      onRelief: (bytes) => this.reliefs.push(Math.round(bytes)),
      onLevel: (level) => this.levels.push(level),
    });
  }

  look(heldBytes: number, afterMs = 250, inUse = 0): number {
    this.heldBytes = heldBytes;
    this.inUse = inUse;
    this.#nowMs += afterMs;
    this.pressure.look(this.#nowMs);
    return this.pressure.level;
  }
}

test('each level begins at its share of the limit and ends below it', () => {
  const scene = new Scene();
  const seen = [100, 799, 800, 751, 749, 900, 851, 849, 950, 901, 899, 740].map((bytes) => scene.look(bytes));
  assert.deepEqual(seen, [0, 0, 1, 1, 0, 2, 2, 1, 3, 3, 2, 0]);
  assert.deepEqual(scene.levels, [1, 0, 2, 1, 3, 2, 0]);
  assert.equal(scene.pressure.level, MemoryLevel.None);
});

test('workers read the level as one word', () => {
  const scene = new Scene();
  scene.look(2000);
  assert.equal(new Int32Array(scene.memory)[0], MemoryLevel.Shedding);
});

test('threads are relieved when a level begins, then the more often the higher it is, and give up what is too much', () => {
  const scene = new Scene();
  scene.look(820);
  for (let look = 0; look < 20; look++) scene.look(820);
  assert.deepEqual(scene.reliefs.splice(0), [0]);
  scene.look(820, 10_000);
  assert.deepEqual(scene.reliefs.splice(0), [0]);
  scene.look(970);
  scene.look(970, 50);
  scene.look(960, 250);
  assert.deepEqual(scene.reliefs.splice(0), [70, 60], 'down to where the level ends');
  scene.look(100);
  assert.deepEqual(scene.reliefs, []);
});

test('a figure that cannot be read changes nothing', () => {
  const scene = new Scene();
  scene.look(910);
  assert.equal(scene.look(Number.NaN), MemoryLevel.Refusing);
  assert.equal(scene.pressure.usedBytes, 910);
});

test('what threads have let go of and the process keeps is free, unless the process grows', () => {
  const scene = new Scene();
  scene.look(300, 250, 200);
  assert.equal(scene.look(960, 250, 800), MemoryLevel.Shedding);
  // It has grown just now: nobody knows what the rest is good for.
  assert.equal(scene.look(960, 250, 300), MemoryLevel.Shedding);
  assert.equal(scene.look(960, 5000, 300), MemoryLevel.None);
  assert.equal(scene.pressure.usedBytes, 460);
  assert.equal(scene.look(860, 250, 300), MemoryLevel.None, 'what is given back is not counted twice');
  assert.equal(scene.pressure.usedBytes, 460);
  assert.equal(scene.look(960, 250, 800), MemoryLevel.Shedding, 'it is in use again');
  assert.equal(scene.look(970, 250, 300), MemoryLevel.Shedding, 'and the process grows');
});
