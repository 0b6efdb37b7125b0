// Who refused what, in a difference between the two parsers.
import type { ParsedRequest } from './parsed-requests.ts';
import type { Difference } from './request-differences.ts';

export function refusedByFlint({ flint: { ending } }: Difference, ...codes: readonly string[]): boolean {
  return ending.kind === 'Refused' && codes.includes(ending.code);
}

export function refusedByNode({ node: { ending } }: Difference, ...codes: readonly string[]): boolean {
  return ending.kind === 'Refused' && (codes.length === 0 || codes.includes(ending.code));
}

/** What Node made of the head that Flint refused with one of `codes`, if it took it. */
export function takenByNode(difference: Difference, ...codes: readonly string[]): ParsedRequest | undefined {
  if (difference.kind !== 'Accepted' || difference.by !== 'node') return undefined;
  return refusedByFlint(difference, ...codes) ? difference.theirs : undefined;
}

/** Flint refused with one of `codes`, and Node did not, or not here. */
export function isLaxer(difference: Difference, ...codes: readonly string[]): boolean {
  if (!refusedByFlint(difference, ...codes)) return false;
  if (difference.kind === 'Ending') return difference.node.ending.kind !== 'Refused';
  return difference.kind === 'Accepted' && difference.by === 'node';
}
