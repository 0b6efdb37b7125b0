// Every relative link of every page leads to a file of the repository, and its anchor to a place in it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { anchors, links, pages, readPage, root } from './pages.ts';
import type { Page } from './pages.ts';

const isElsewhere = (target: string): boolean => /^[a-z][a-z0-9+.-]*:/i.test(target);

function brokenLinks(page: Page): readonly string[] {
  return links(page).flatMap(({ line, text }) => {
    if (isElsewhere(text)) return [];
    const [file = '', anchor = ''] = text.split('#');
    const where = `${page.path}:${line}: ${text}`;
    if (file === '') return anchors(page).has(anchor) ? [] : [`${where}: nothing here is called ${anchor}`];
    const target = posix.join(posix.dirname(page.path), decodeURIComponent(file));
    if (target.startsWith('..') || !existsSync(join(root, target)))
      return [`${where}: there is no ${target}`];
    if (anchor === '') return [];
    const there = pages.find(({ path }) => path === target);
    if (there === undefined) return [`${where}: ${target} is no page, so it has no anchors`];
    return anchors(there).has(anchor) ? [] : [`${where}: nothing in ${target} is called ${anchor}`];
  });
}

test('every link leads somewhere', () => {
  const relative = pages.flatMap(links).filter(({ text }) => !isElsewhere(text));
  assert.ok(relative.length > 100, `only ${relative.length} links were found`);
  assert.deepEqual(pages.flatMap(brokenLinks), []);
});

test('a link that leads nowhere is found', () => {
  const text =
    '# A b: `c`\n[a](#a-b-c) [b](#no)\n[c](../nothing.md)\n[d](tls.md#no) [e](tls.md#the-baseline)\n';
  assert.deepEqual(brokenLinks(readPage('docs/reference/x.md', text)), [
    'docs/reference/x.md:2: #no: nothing here is called no',
    'docs/reference/x.md:3: ../nothing.md: there is no docs/nothing.md',
    'docs/reference/x.md:4: tls.md#no: nothing in docs/reference/tls.md is called no',
  ]);
});
