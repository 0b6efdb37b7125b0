// The Markdown files of this repository, taken apart as far as the tests of the pages need it.
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Fence {
  /** The word behind the three backticks; empty where there is none, and for blocks that are indented by four. */
  readonly language: string;
  readonly text: string;
  /** Of its first line in the file, counted from 1. */
  readonly line: number;
}

export interface Page {
  /** From the root of the repository, such as `docs/capacity.md`. */
  readonly path: string;
  readonly fences: readonly Fence[];
  /** Line by line, with nothing where a fence is. */
  readonly prose: readonly string[];
}

export interface Place {
  readonly line: number;
  readonly text: string;
}

/** No page of ours is made or fetched in these. */
const foreign = new Set(['node_modules', '.git', '.cache', 'coverage']);

function markdownFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (foreign.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return markdownFiles(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

export const pages: readonly Page[] = markdownFiles(root)
  .sort()
  .map((file) => readPage(relative(root, file), readFileSync(file, 'utf8')));

/** What users read, as opposed to transcripts that are run as tests. */
export const userPages = pages.filter(({ path }) => !path.startsWith('test/'));

export function readPage(path: string, text: string): Page {
  const prose: string[] = [];
  const fences: { language: string; text: string; line: number }[] = [];
  let open: { marker: string; language: string; lines: string[]; line: number } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const marker = /^\s*(```+|~~~+)\s*(\S*)/.exec(line);
    if (open === undefined && marker !== null)
      open = { marker: marker[1]!, language: marker[2]!, lines: [], line: index + 2 };
    else if (open !== undefined && marker?.[1]?.startsWith(open.marker) === true && marker[2] === '') {
      fences.push({ language: open.language, text: `${open.lines.join('\n')}\n`, line: open.line });
      open = undefined;
    } else if (open !== undefined) open.lines.push(line);
    else {
      // Four spaces make a block of code as well, but in a list.
      if (/^ {4}\S/.test(line)) fences.push({ language: '', text: `${line.trim()}\n`, line: index + 1 });
      prose.push(/^ {4}\S/.test(line) ? '' : line);
      continue;
    }
    prose.push('');
  }
  if (open !== undefined) throw new Error(`${path}:${open.line - 1}: the block is never closed`);
  return { path, fences, prose };
}

/** What stands between single backticks. */
export function codeSpans({ prose }: Page): readonly Place[] {
  return prose.flatMap((text, index) =>
    [...text.matchAll(/`([^`]+)`/g)].map((match) => ({ line: index + 1, text: match[1]! })),
  );
}

/** Where links lead, as it is written. */
export function links({ prose }: Page): readonly Place[] {
  return prose.flatMap((text, index) =>
    [...text.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(\s*<?([^)>\s]+)>?[^)]*\)/g)].map((match) => ({
      line: index + 1,
      text: match[1]!,
    })),
  );
}

/** What may stand behind a `#`: the headings, as the usual renderers name them, and ids that are written out. */
export function anchors({ prose }: Page): ReadonlySet<string> {
  const found = new Set<string>();
  for (const line of prose) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (heading !== undefined) {
      const slug = slugOf(heading);
      let name = slug;
      for (let count = 1; found.has(name); count++) name = `${slug}-${count}`;
      found.add(name);
    }
    for (const [, id] of line.matchAll(/<a id="([^"]+)">/g)) found.add(id!);
  }
  return found;
}

function slugOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');
}
