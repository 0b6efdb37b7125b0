// The fields of a message: offsets in, names and values out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Field, fieldIdOf } from '#http/field.ts';
import { copySection, FieldSection } from '#http/field-section.ts';

/** A section over `name: value` lines, which begin at `origin` in its bytes. */
function sectionOf(lines: readonly string[], origin = 0): FieldSection {
  const section = new FieldSection(10);
  section.bytes = Buffer.from('~'.repeat(origin) + lines.map((line) => `${line}\r\n`).join(''), 'latin1');
  let at = origin;
  for (const line of lines) {
    const colon = line.indexOf(': ');
    const id = fieldIdOf(section.bytes, at, at + colon, false);
    assert(section.add(id, at, at + colon, at + colon + 2, at + line.length));
    at += line.length + 2;
  }
  return section;
}

describe('FieldSection', () => {
  test('gives names and values as they came', () => {
    const section = sectionOf(['Host: a.example', 'X-A: caf\xe9']);
    assert.equal(section.count, 2);
    assert.equal(section.name(0), 'Host');
    assert.equal(section.value(1), 'caf\xe9');
  });

  test('is copied without what stands around it', () => {
    const copy = copySection(sectionOf(['Host: a.example', 'X-A: b'], 100_000));
    assert.deepEqual(
      [copy.name(0), copy.value(0), copy.name(1), copy.value(1), copy.count],
      ['Host', 'a.example', 'X-A', 'b', 2],
    );
    assert.ok(copy.isCanonical(1));
    assert.ok(copy.bytes.length < 100, `${copy.bytes.length} bytes`);
    assert.equal(copySection(new FieldSection(3)).count, 0);
  });

  test('is full at its capacity', () => {
    const section = new FieldSection(2);
    assert(section.add(Field.Other, 0, 1, 2, 3));
    assert(section.add(Field.Other, 0, 1, 2, 3));
    assert(!section.add(Field.Other, 0, 1, 2, 3));
    assert.equal(section.count, 2);
    section.clear();
    assert.equal(section.count, 0);
    assert(section.add(Field.Other, 0, 1, 2, 3));
  });

  test('moves with its bytes', () => {
    const section = sectionOf(['A: 1', 'B: 2'], 100);
    section.rebase(Buffer.from(section.bytes.subarray(100)), 100);
    assert.deepEqual(
      [section.name(0), section.value(0), section.name(1), section.value(1)],
      ['A', '1', 'B', '2'],
    );
  });

  test('finds the first field of a kind', () => {
    const section = sectionOf(['A: 1', 'HOST: b', 'Host: c']);
    assert.equal(section.indexOf(Field.Host), 1);
    assert.equal(section.indexOf(Field.Expect), -1);
  });
});

describe('combined', () => {
  const section = sectionOf(['Accept: a', 'Cookie: x=1', 'ACCEPT: b, c', 'Empty: ', 'accept: d']);

  test('joins the lines of one name in their order', () => {
    assert.equal(section.combined('accept'), 'a, b, c, d');
  });

  test('gives a single line as it is', () => {
    assert.equal(section.combined('cookie'), 'x=1');
  });

  test('tells an empty field from none', () => {
    assert.equal(section.combined('empty'), '');
    assert.equal(section.combined('missing'), undefined);
  });

  test('does not see what was cleared', () => {
    const cleared = sectionOf(['A: 1']);
    cleared.clear();
    assert.equal(cleared.combined('a'), undefined);
  });
});

describe('isNamed', () => {
  const section = sectionOf(['X-Hop: 1', 'X-Other: 2', 'Host: a.example', 'Content-Length: 3']);
  const names = ['x-hop', 'host', 'content-length'];

  test('finds a field that a Connection field names, in any case', () => {
    assert(section.isNamed(0, names));
    assert(!section.isNamed(1, names));
  });

  test('never finds a field with a meaning to a proxy', () => {
    assert(!section.isNamed(2, names));
    assert(!section.isNamed(3, names));
  });
});
