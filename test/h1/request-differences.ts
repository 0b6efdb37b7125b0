// Where two parsers disagree about the same bytes, message by message.
import { parseWithFlint } from './parsed-requests.ts';
import type { FlintRequests, ParsedRequest, ParsedRequests } from './parsed-requests.ts';

export type Part = 'method' | 'target' | 'version' | 'fields' | 'body';

interface Disagreement {
  readonly flint: FlintRequests;
  readonly node: ParsedRequests;
  /** Of the message. */
  readonly index: number;
  /** From the first byte of the message to the last of the input. */
  readonly text: string;
  /** Whether Flint, which has no verdict yet, refuses the message once its line and its head have an end. */
  readonly wouldRefuse: () => boolean;
}

const headEnd = Buffer.from('\r\n\r\n', 'latin1');

export type Difference = Disagreement &
  (
    | {
        readonly kind: 'Part';
        readonly part: Part;
        readonly ours: ParsedRequest;
        readonly theirs: ParsedRequest;
      }
    /** Only one of them saw the end of the message. */
    | {
        readonly kind: 'Extent';
        readonly by: 'flint' | 'node';
        readonly ours: ParsedRequest;
        readonly theirs: ParsedRequest;
      }
    /** Only one of them took the head. */
    | { readonly kind: 'Accepted'; readonly by: 'flint'; readonly ours: ParsedRequest }
    | { readonly kind: 'Accepted'; readonly by: 'node'; readonly theirs: ParsedRequest }
    /** They agree about all messages, but not about how it ended. */
    | { readonly kind: 'Ending' }
  );

const parts: readonly Part[] = ['method', 'target', 'version', 'fields', 'body'];

/** The first difference in each respect; after one about where a message ends there is nothing left to compare. */
export function findDifferences(
  bytes: Buffer,
  flint: FlintRequests,
  node: ParsedRequests,
): readonly Difference[] {
  const found: Difference[] = [];
  for (let index = 0; ; index++) {
    const start = flint.starts[Math.min(index, flint.starts.length - 1)] ?? 0;
    const text = bytes.toString('latin1', start);
    const wouldRefuse = (): boolean =>
      parseWithFlint(Buffer.concat([bytes, headEnd])).ending.kind === 'Refused';
    const place: Disagreement = { flint, node, index, text, wouldRefuse };
    const ours = flint.requests[index];
    const theirs = node.requests[index];
    if (ours === undefined && theirs === undefined) {
      if (flint.ending.kind !== node.ending.kind) found.push({ ...place, kind: 'Ending' });
      return found;
    }
    if (ours === undefined || theirs === undefined) {
      if (ours !== undefined) found.push({ ...place, kind: 'Accepted', by: 'flint', ours });
      if (theirs !== undefined) found.push({ ...place, kind: 'Accepted', by: 'node', theirs });
      return found;
    }
    for (const part of parts)
      if (JSON.stringify(ours[part]) !== JSON.stringify(theirs[part]))
        found.push({ ...place, kind: 'Part', part, ours, theirs });
    if (ours.isComplete !== theirs.isComplete) {
      found.push({ ...place, kind: 'Extent', by: ours.isComplete ? 'flint' : 'node', ours, theirs });
      return found;
    }
  }
}

export function describeDifference(difference: Difference): string {
  const { kind, index, flint, node } = difference;
  const what =
    kind === 'Part' ? difference.part : kind === 'Ending' ? 'ending' : `${kind} by ${difference.by}`;
  return `message ${index}: ${what}; Flint ${describeEnding(flint)}, Node ${describeEnding(node)}`;
}

function describeEnding({ ending }: ParsedRequests): string {
  return ending.kind === 'Refused' ? ending.code : ending.kind;
}
