// The setting defaultCertificate -> what clients get that name no host, or one that nobody serves.
import type { Problem } from '#api/problem.ts';
import type { Certificate, DefaultCertificate } from '#model/route-model.ts';
import { faultOf, servedOf } from './certificate-index.ts';
import type { CertificateIndex } from './certificate-index.ts';

export interface TranslatedDefault {
  readonly value: DefaultCertificate;
  readonly certificate: Certificate | undefined;
  readonly problems: readonly Problem[];
}

const settingKey = 'defaultCertificate';
const none: TranslatedDefault = { value: { kind: 'None' }, certificate: undefined, problems: [] };

/** `id`: `namespace/secret`; undefined: nobody has named one. What cannot be served is none, and a problem of the settings. */
export function defaultCertificateOf(
  id: string | undefined,
  certificates: CertificateIndex,
  now: string,
): TranslatedDefault {
  if (id === undefined) return none;
  const state = certificates.state(id);
  const fault = faultOf(id, state, [], now);
  const problems = fault === undefined ? [] : [{ ...fault, at: settingKey }];
  const certificate = servedOf(state);
  if (certificate === undefined) return { ...none, problems };
  return { value: { kind: 'Certificate', certificate: id }, certificate, problems };
}
