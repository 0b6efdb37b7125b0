// Why a request goes where it goes: the same compiled candidates, asked one by one.
import type { Candidate, Unmet } from './candidate.ts';
import type { CompiledHost } from './compiled-host.ts';
import type { MatchRequest } from './match-request.ts';

export interface CandidateOpinion {
  readonly candidate: Candidate;
  readonly opinion:
    | { readonly kind: 'Takes' }
    | { readonly kind: 'Fits' }
    | { readonly kind: 'Refuses'; readonly unmet: Unmet };
}

/** Every candidate of the host in order of precedence; `Takes` is the one that match chose, `Fits` came too late. */
export function explain(host: CompiledHost, request: MatchRequest): readonly CandidateOpinion[] {
  const taken = host.match(request);
  return host.candidates.map((candidate) => {
    const unmet = candidate.unmet(request);
    if (unmet !== undefined) return { candidate, opinion: { kind: 'Refuses', unmet } };
    return { candidate, opinion: { kind: candidate === taken ? 'Takes' : 'Fits' } };
  });
}
