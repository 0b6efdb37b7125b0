// Which of two matches that both fit is preferred: the order of the API, as one comparison.
import type { Candidate } from './candidate.ts';

const pathRank = { Exact: 0, PathPrefix: 1, RegularExpression: 2 } as const;

/**
 * Negative when `a` is preferred: Exact path, then the longest PathPrefix, then the longest RegularExpression; then a
 * method; then more headers; then more query parameters; then the older object and the earlier place in its list.
 */
export function comparePrecedence(a: Candidate, b: Candidate): number {
  return (
    pathRank[a.match.path.kind] - pathRank[b.match.path.kind] ||
    b.match.path.value.length - a.match.path.value.length ||
    methodRank(a) - methodRank(b) ||
    b.match.headers.length - a.match.headers.length ||
    b.match.queryParams.length - a.match.queryParams.length ||
    a.order - b.order
  );
}

function methodRank(candidate: Candidate): number {
  return candidate.match.method.kind === 'Method' ? 0 : 1;
}
