// The test data of config/argocd: objects as the API server holds them. UPDATE_GOLDEN=1 writes them anew.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { customization } from './judge-program.ts';

const isUpdate = process.env['UPDATE_GOLDEN'] === '1';

/** The object as a file would show it, with what differs from run to run set to one value. */
export function isAsInTestData(name: string, seen: { readonly metadata: object }): void {
  const file = join(customization, 'testdata', `${name}.yaml`);
  const { managedFields: _, ...metadata } = seen.metadata as Readonly<Record<string, unknown>>;
  const text = JSON.stringify({ ...seen, metadata: { ...metadata, uid: noUid, resourceVersion: '1' } });
  const object = JSON.parse(
    text.replaceAll(/"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"/g, '"2026-01-01T00:00:00Z"'),
  ) as unknown;
  // In YAML 1.1 a time that is not quoted is no string.
  const content = stringify(object, { version: '1.1', lineWidth: 0 });
  if (isUpdate) writeFileSync(file, content);
  assert.equal(
    existsSync(file) ? readFileSync(file, 'utf8') : '',
    content,
    `${name}: run with UPDATE_GOLDEN=1`,
  );
}

const noUid = '00000000-0000-0000-0000-000000000000';
