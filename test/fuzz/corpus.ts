// The corpora: good and odd inputs as small text files, and the inputs that once made a fuzz target fail.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseBytes } from '../h1/bytes-notation.ts';

/** Files with this prefix hold hex; all others the notation of the transcripts. */
const failurePrefix = 'failure-';

export interface CorpusEntry {
  readonly file: string;
  readonly bytes: Buffer;
}

function folderOf(target: string): URL {
  return new URL(`corpus/${target}/`, import.meta.url);
}

export function readCorpus(target: string): readonly CorpusEntry[] {
  const folder = folderOf(target);
  return readdirSync(folder)
    .toSorted()
    .map((file) => {
      const text = readFileSync(new URL(file, folder), 'latin1').trimEnd();
      return { file, bytes: file.startsWith(failurePrefix) ? Buffer.from(text, 'hex') : parseBytes(text) };
    });
}

/** Saves an input that must not be forgotten, and returns where. */
export function saveFailure(target: string, bytes: Buffer): string {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const file = new URL(`${failurePrefix}${hash}`, folderOf(target));
  writeFileSync(file, `${bytes.toString('hex')}\n`);
  return fileURLToPath(file);
}
