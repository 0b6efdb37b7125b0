// Parser tests as documents: a title, prose, the exact bytes, the exact events.
import { parseBytes } from './bytes-notation.ts';
import { recordRequests } from './request-recorder.ts';
import { recordResponse } from './response-recorder.ts';

export interface Transcript {
  readonly title: string;
  /** Whose bytes: a client's, or a backend's in answer to a request with this method. */
  readonly side:
    | { readonly kind: 'Request' }
    | { readonly kind: 'Response'; readonly method: string; readonly expectsSwitch: boolean };
  readonly bytes: Buffer;
  /** The peer closes its side after the bytes; written as `{fin}` at their end. */
  readonly isEnded: boolean;
  readonly events: readonly string[];
}

const fin = '{fin}';
const section =
  /^## (?<title>.+)\n(?<prose>[^]*?)```(?<kind>bytes|answer)(?: (?<method>\w+))?(?<upgrade> upgrade)?\n(?<bytes>[^]*?)```\n\n```events\n(?<events>[^]*?)```\s*$/;

/**
 * `## title`, prose, a block of `bytes` (of a client) or `answer METHOD` (of a backend; GET when left out;
 * `answer GET upgrade` for a request that asked for WebSocket), a block of
 * `events`. Line breaks inside the bytes are for the reader only.
 */
export function parseTranscripts(document: string): readonly Transcript[] {
  return document
    .split(/^(?=## )/m)
    .slice(1)
    .map((text) => {
      const groups = section.exec(text)?.groups;
      if (groups === undefined) throw new Error(`not a transcript:\n${text}`);
      const { title = '', kind, method = 'GET', upgrade, bytes = '', events = '' } = groups;
      const notation = bytes.trimEnd();
      return {
        title,
        side:
          kind === 'bytes'
            ? { kind: 'Request' }
            : { kind: 'Response', method, expectsSwitch: upgrade !== undefined },
        bytes: parseBytes(notation.endsWith(fin) ? notation.slice(0, -fin.length) : notation),
        isEnded: notation.endsWith(fin),
        events: events.split('\n').filter((line) => line !== ''),
      };
    });
}

/** What happens when the bytes come in pieces that end at `cuts`. */
export function replayTranscript(
  { side, bytes, isEnded }: Transcript,
  cuts: readonly number[],
): readonly string[] {
  return side.kind === 'Request'
    ? recordRequests(bytes, cuts)
    : recordResponse({ bytes, method: side.method, expectsSwitch: side.expectsSwitch, isEnded }, cuts);
}
