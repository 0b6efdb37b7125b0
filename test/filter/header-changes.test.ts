// What RequestHeaderModifier and ResponseHeaderModifier make of the fields of a message.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HeaderChanges } from '#filter/header-changes.ts';
import type { HeaderChanges as Model } from '#model/filters.ts';
import { fieldLines } from '../http/field-lines.ts';

/** The lines of a message after the changes, as both writers of heads apply them. */
function applied(model: Partial<Model>, lines: readonly string[]): readonly string[] {
  const changes = new HeaderChanges({ remove: [], set: [], add: [], ...model });
  const section = fieldLines(lines);
  const kept = lines.filter((_, index) => !changes.drops(section, index));
  return [...kept, ...changes.lines.split('\r\n').slice(0, -1)];
}

describe('HeaderChanges', () => {
  test('nothing changes nothing', () => {
    assert.deepEqual(applied({}, ['A: 1', 'b: 2']), ['A: 1', 'b: 2']);
    assert.equal(new HeaderChanges({ remove: [], set: [], add: [] }).lines, '');
  });

  test('removes every field of a name, in whatever case', () => {
    assert.deepEqual(applied({ remove: ['x-a'] }, ['X-A: 1', 'X-Ab: 2', 'x-a: 3', 'X-B: 4']), [
      'X-Ab: 2',
      'X-B: 4',
    ]);
  });

  test('sets one field in place of several', () => {
    assert.deepEqual(applied({ set: [{ name: 'X-A', value: 'new' }] }, ['x-a: 1', 'B: 2', 'X-A: 3']), [
      'B: 2',
      'X-A: new',
    ]);
  });

  test('sets a field that was not there, as it is written', () => {
    assert.deepEqual(applied({ set: [{ name: 'x-New', value: 'a  b,"c"' }] }, ['B: 2']), [
      'B: 2',
      'x-New: a  b,"c"',
    ]);
  });

  test('adds on top of what there is', () => {
    assert.deepEqual(applied({ add: [{ name: 'Vary', value: 'b' }] }, ['vary: a']), ['vary: a', 'Vary: b']);
  });

  test('removes, then sets, then adds', () => {
    assert.deepEqual(
      applied(
        {
          remove: ['a', 'b'],
          set: [
            { name: 'A', value: 'set' },
            { name: 'C', value: 'set' },
          ],
          add: [
            { name: 'C', value: 'added' },
            { name: 'B', value: 'added' },
          ],
        },
        ['a: 1', 'B: 2', 'c: 3', 'D: 4'],
      ),
      ['D: 4', 'A: set', 'C: set', 'C: added', 'B: added'],
    );
  });

  test('names what makes way: removed and set, not added', () => {
    const changes = new HeaderChanges({
      remove: ['server'],
      set: [{ name: 'Date', value: 'a' }],
      add: [{ name: 'Vary', value: 'b' }],
    });
    assert.deepEqual(
      ['server', 'date', 'vary', 'age'].map((name) => changes.dropsName(name)),
      [true, true, false, false],
    );
  });
});

const names = fc.constantFrom('a', 'A', 'Ab', 'aB', 'b', 'x-a');
const fields = fc.array(fc.record({ name: names, value: fc.constantFrom('1', '2 3') }), { maxLength: 5 });

test('whatever the changes, they do what remove, set and add say', () => {
  const models = fc.record({
    remove: fc.array(names.map((name) => name.toLowerCase())),
    set: fields,
    add: fields,
  });
  fc.assert(
    fc.property(models, fields, (model, message) => {
      const gone = new Set([...model.remove, ...model.set.map(({ name }) => name.toLowerCase())]);
      const expected = [
        ...message.filter(({ name }) => !gone.has(name.toLowerCase())),
        ...model.set,
        ...model.add,
      ];
      const text = (list: typeof message) => list.map(({ name, value }) => `${name}: ${value}`);
      assert.deepEqual(applied(model, text(message)), text(expected));
    }),
  );
});
