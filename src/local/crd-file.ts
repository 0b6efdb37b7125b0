// The CRD that ships with this program: what a cluster would enforce is enforced on files too.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { compileCrd } from '#api/crd-validation.ts';
import type { Crd, CrdValidator } from '#api/crd-validation.ts';

export const crdPath = new URL('../../crds/ingressroute.yaml', import.meta.url);

/** Validators by `apiVersion kind`. Throws when the file is missing or broken. */
export function loadCrdValidators(): ReadonlyMap<string, CrdValidator> {
  return compileCrd(parse(readFileSync(crdPath, 'utf8')) as Crd);
}
