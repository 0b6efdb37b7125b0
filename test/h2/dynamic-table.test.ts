// The dynamic table: sizes, evictions, numbers for ever, and bytes that stay whole while the buffer moves.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { DynamicTable, tableBytes } from '#h2/dynamic-table.ts';

function add(table: DynamicTable, name: string, value: string, mark = 0): boolean {
  const line = Buffer.from(`~~${name}: ${value}\r\n~~`, 'latin1');
  return table.add(line, 2, name.length, value.length, mark);
}

function line(table: DynamicTable, number: number): string {
  const start = table.start(number);
  const end = start + table.nameBytes(number) + table.valueBytes(number) + 4;
  return table.bytes.toString('latin1', start, end);
}

/** Oldest first. */
function lines(table: DynamicTable): readonly string[] {
  return Array.from({ length: table.count }, (_, index) => line(table, table.inserted - table.count + index));
}

describe('DynamicTable', () => {
  test('holds lines, and what was noted about each', () => {
    const table = new DynamicTable();
    assert(add(table, 'a', 'b', 3));
    assert(add(table, 'cc', '', 7));
    assert.deepEqual(lines(table), ['a: b\r\n', 'cc: \r\n']);
    assert.deepEqual([table.mark(0), table.mark(1)], [3, 7]);
    assert.deepEqual(
      [-1, 0, 1, 2].map((number) => table.has(number)),
      [false, true, true, false],
    );
  });

  test('counts 32 bytes for each entry beside its name and value', () => {
    const table = new DynamicTable();
    table.resize(2 * (32 + 2));
    for (const value of ['1', '2', '3']) add(table, 'a', value);
    assert.deepEqual(lines(table), ['a: 2\r\n', 'a: 3\r\n']);
    assert(add(table, 'a', '12'), 'the larger one has room for itself alone');
    assert.deepEqual(lines(table), ['a: 12\r\n']);
  });

  test('an entry as large as the table stands alone; a larger one empties it', () => {
    const table = new DynamicTable();
    add(table, 'a', 'b');
    assert(add(table, 'n', 'v'.repeat(tableBytes - 33)));
    assert.equal(table.count, 1);
    assert(!add(table, 'n', 'v'.repeat(tableBytes - 32)));
    assert.equal(table.count, 0);
    assert(add(table, 'a', 'b'));
    assert.deepEqual(lines(table), ['a: b\r\n']);
  });

  test('gives up the oldest when it gets smaller, and nothing when it grows', () => {
    const table = new DynamicTable();
    for (const value of ['1', '2', '3']) add(table, 'a', value);
    table.resize(2 * 34 + 33);
    assert.deepEqual(lines(table), ['a: 2\r\n', 'a: 3\r\n']);
    table.resize(tableBytes);
    assert.deepEqual(lines(table), ['a: 2\r\n', 'a: 3\r\n']);
    table.resize(0);
    assert.equal(table.count, 0);
    assert(!add(table, '', ''));
  });

  test('holds as many of the smallest entries as there can be', () => {
    const table = new DynamicTable();
    for (let left = 1000; left > 0; left--) assert(add(table, '', ''));
    assert.equal(table.count, tableBytes / 32);
    assert.equal(table.inserted, 1000);
    assert(lines(table).every((each) => each === ': \r\n'));
  });

  test('is what a list of lines would be', () => {
    const entry = fc.record({
      name: fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 40 }),
      value: fc.oneof(
        fc.string({ unit: fc.constantFrom('x', 'y'), maxLength: 60 }),
        fc.integer({ min: 0, max: tableBytes + 10 }).map((length) => 'z'.repeat(length)),
      ),
    });
    const step = fc.oneof({ weight: 12, arbitrary: entry }, fc.integer({ min: 0, max: tableBytes }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new DynamicTable();
        let model: string[] = [];
        let maxSize = tableBytes;
        const shrink = (): void => {
          // A line has four bytes of its own, which do not count.
          while (model.reduce((size, each) => size + each.length - 4 + 32, 0) > maxSize) model.shift();
        };
        for (const each of steps) {
          if (typeof each === 'number') {
            maxSize = each;
            table.resize(each);
          } else {
            const fits = each.name.length + each.value.length + 32 <= maxSize;
            assert.equal(add(table, each.name, each.value), fits);
            model = fits ? [...model, `${each.name}: ${each.value}\r\n`] : [];
          }
          shrink();
          assert.deepEqual(lines(table), model);
        }
      }),
      { numRuns: 300 },
    );
  });
});
