// docs/reference/ownership.md names the case of each of its rows, and no case about ownership is missing from it.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const document = new URL('../../docs/reference/ownership.md', import.meta.url);
const folder = new URL('cases/', import.meta.url);
const text = readFileSync(document, 'utf8');
const cases = readdirSync(folder);

/** The rows of every table, without the lines at its head. */
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('|') && !line.startsWith('|---') && !line.startsWith('| situation |'));

function linksOf(row: string): readonly { readonly name: string; readonly target: string }[] {
  return [...row.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, name = '', target = '']) => ({
    name,
    target,
  }));
}

test('every row has a case, and links to its file', () => {
  assert.ok(rows.length > 20, `${rows.length} rows`);
  for (const row of rows) {
    const links = linksOf(row);
    assert.ok(links.length > 0, row);
    for (const { name, target } of links) {
      assert.ok(cases.includes(`${name}.yaml`), `there is no case ${name}`);
      assert.equal(new URL(target, document).href, new URL(`${name}.yaml`, folder).href);
    }
  }
});

test('every case about ownership stands in the table', () => {
  const named = new Set(rows.flatMap(linksOf).map(({ name }) => `${name}.yaml`));
  const missing = cases.filter((name) => /^(?:host|claim|ownership)-/.test(name) && !named.has(name));
  assert.deepEqual(missing, []);
});
