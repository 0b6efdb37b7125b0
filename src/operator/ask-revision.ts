// The request behind an acknowledgement: GET /revision, answered when there is something newer.
import { Deadline } from '#kube/deadline.ts';
import { parseRevision } from '#model/revision.ts';
import { podField } from '#model/wire-names.ts';
import type { Revision } from '#model/revision.ts';
import type { Candidate } from './members.ts';

const waitMs = 10_000;
const patienceMs = 15_000;
const largestAnswerBytes = 65_536;

/** Rejects when the pod does not answer within 15 s, or not with a revision. */
export async function askRevision(
  { urls, name }: Candidate,
  after: number,
  signal: AbortSignal,
): Promise<Revision> {
  const deadline = new Deadline(signal, patienceMs, `${name} does not answer`);
  try {
    // At once: an address where nothing is ever said must not hide the other one.
    const mustSayWho = urls.length > 1;
    return await Promise.any(urls.map((url) => askAt(url, name, mustSayWho, after, deadline.signal)));
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    deadline.end();
  }
}

/**
 * Another pod that has the address says so by 421 (Misdirected Request); one of an older build does not know that it was asked
 * for another.
 */
async function askAt(
  url: string,
  name: string,
  mustSayWho: boolean,
  after: number,
  signal: AbortSignal,
): Promise<Revision> {
  const query = `pod=${encodeURIComponent(name)}&after=${after}&waitMs=${waitMs}`;
  const response = await fetch(`${url}/revision?${query}`, { signal, redirect: 'error' });
  if (!response.ok || response.body === null) throw new Error(`${name} answers ${response.status}`);
  if (mustSayWho && response.headers.get(podField) !== name)
    throw new Error(`who answers does not say that it is ${name}`);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body) {
    bytes += piece.length;
    if (bytes > largestAnswerBytes) throw new Error(`${name} answers with too much`);
    pieces.push(piece);
  }
  return parseRevision(Buffer.concat(pieces).toString('utf8'));
}
