// The CRD as it is installed, and a walk through every schema in it.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Crd } from '#api/crd-validation.ts';
import { crdPath } from '#local/crd-file.ts';

export type Schema = Record<string, unknown>;

export function readCrd(): Crd {
  return parse(readFileSync(crdPath, 'utf8')) as Crd;
}

export interface SchemaPlace {
  /** As `spec.rules[].name`. */
  readonly at: string;
  readonly schema: Schema;
}

/** The root schema of the only version first, then everything below it. */
export function schemasOf(crd: Crd): readonly SchemaPlace[] {
  const [version, ...others] = crd.spec.versions;
  if (version === undefined || others.length > 0) throw new Error('the CRD has one version');
  return [...schemasBelow('', version.schema.openAPIV3Schema)];
}

function* schemasBelow(at: string, schema: Schema): Generator<SchemaPlace> {
  yield { at, schema };
  if (schema['items'] !== undefined) yield* schemasBelow(`${at}[]`, schema['items'] as Schema);
  for (const [name, property] of Object.entries(schema['properties'] ?? {}))
    yield* schemasBelow(at === '' ? name : `${at}.${name}`, property as Schema);
}
