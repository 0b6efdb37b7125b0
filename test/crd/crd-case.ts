// The cases of test/crd: files with one object each; a refused one says in its first line what is wrong and where.
import { readFileSync, readdirSync } from 'node:fs';
import { parse } from 'yaml';
import type { KubernetesObject } from '#api/kubernetes-object.ts';

export interface CrdCase {
  readonly name: string;
  readonly object: KubernetesObject;
  /** The place of the expected problem, and a part of its message; empty for an accepted object. */
  readonly at: string;
  readonly message: string;
}

export function crdCases(folder: 'refused' | 'accepted'): readonly CrdCase[] {
  const url = new URL(`${folder}/`, import.meta.url);
  return readdirSync(url)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => {
      const text = readFileSync(new URL(file, url), 'utf8');
      const [, at = '', message = ''] = /^# expected: (\S+): (.+)\n/.exec(text) ?? [];
      if ((folder === 'refused') !== (at !== '')) throw new Error(`${file} does not start as a case should`);
      return { name: file.replace('.yaml', ''), object: parse(text) as KubernetesObject, at, message };
    });
}
