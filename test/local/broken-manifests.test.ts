// Text that is no YAML, or no harmless one: always a fault with its place, never an exception.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseManifests, positionText } from '#local/manifests.ts';

function faultsOf(text: string): readonly string[] {
  return parseManifests(text, 'f.yaml').faults.map(
    ({ position, message }) => `${positionText(position)}: ${message}`,
  );
}

function namesOf(text: string): readonly string[] {
  return parseManifests(text, 'f.yaml').manifests.map(
    ({ object }) => `${object.kind} ${object.metadata.name}`,
  );
}

const service = (name: string): string => `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\n`;

const broken: readonly (readonly [text: string, fault: RegExp])[] = [
  [`${service('a')}spec: {\n`, /^f\.yaml:5:1: .*(?:end|flow)/i],
  ['a: b: c\n', /^f\.yaml:1:4: .*nested/i],
  ['\ta: 1\n', /^f\.yaml:1:1: .*tab/i],
  ['a: "x\n', /^f\.yaml:[12]:[0-9]+: .*quote/],
  ['a: &x 1\nb: *y\n', /^f\.yaml:2:4: .*alias/i],
  [`${service('a')}kind: Pod\n`, /^f\.yaml:4:1: .*unique/],
  [`${service('a')}spec:\n  ports:\n  - {port: 80, port: 81}\n`, /^f\.yaml:6:16: .*unique/],
];

for (const [text, expected] of broken)
  test(`broken YAML is told with its place: ${JSON.stringify(text)}`, () => {
    const faults = faultsOf(text);
    assert.match(faults[0] ?? '', expected);
    assert.ok(faults.every((fault) => !fault.includes('\n')));
    assert.deepEqual(namesOf(text), []);
  });

test('a broken document keeps none of its objects, the others keep theirs', () => {
  const text = `${service('a')}---\n${service('b')}spec: "\n---\n${service('c')}`;
  assert.ok(faultsOf(text).length > 0);
  assert.ok(!namesOf(text).includes('Service b'));
  assert.ok(namesOf(text).includes('Service a'));
});

/** Ten levels of ten aliases each: a few hundred bytes that stand for ten thousand million nodes. */
const bomb = [
  'a0: &a0 [x, x, x, x, x, x, x, x, x, x]',
  ...Array.from(
    { length: 9 },
    (_, index) => `a${index + 1}: &a${index + 1} [${Array(10).fill(`*a${index}`).join(', ')}]`,
  ),
].join('\n');

test('a bomb of aliases is a fault, not an exception, and does not go off', () => {
  const faults = faultsOf(`${service('a')}${bomb}\n---\n${service('b')}`);
  assert.equal(faults.length, 1);
  assert.match(faults[0] ?? '', /^f\.yaml:[0-9]+:[0-9]+: .*alias/i);
});

test('whatever the text, it never throws', () => {
  const pieces = [
    '- ',
    '? ',
    ': ',
    '{',
    '}',
    '[',
    ']',
    '&a ',
    '*a',
    '!!x ',
    '|',
    '>',
    '"',
    "'",
    '%',
    '@',
    '\t',
    '\0',
    '---\n',
    '<<: *a',
    '\ud800',
  ];
  let state = 1;
  for (let round = 0; round < 3000; round++) {
    let text = round % 2 === 0 ? '' : service('a');
    for (let length = 0; length < 8; length++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      text += pieces[(state >>> 8) % pieces.length]! + (state % 3 === 0 ? '\n' : '');
    }
    for (const { locate } of parseManifests(text, 'f.yaml').manifests) locate('spec.rules[0].name');
  }
});
