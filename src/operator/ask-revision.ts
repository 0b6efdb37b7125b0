// The request behind an acknowledgement: GET /revision, answered when there is something newer.
import { Deadline } from '#kube/deadline.ts';
import { parseRevision } from '#model/revision.ts';
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
    const failures: unknown[] = [];
    for (const url of urls)
      try {
        return await askAt(url, name, after, deadline.signal);
      } catch (error) {
        failures.push(error);
      }
    throw failures[0];
  } finally {
    deadline.end();
  }
}

/** Another pod that has the address says so by 421 (Misdirected Request). */
async function askAt(url: string, name: string, after: number, signal: AbortSignal): Promise<Revision> {
  const query = `pod=${encodeURIComponent(name)}&after=${after}&waitMs=${waitMs}`;
  const response = await fetch(`${url}/revision?${query}`, { signal, redirect: 'error' });
  if (!response.ok || response.body === null) throw new Error(`${name} answers ${response.status}`);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body) {
    bytes += piece.length;
    if (bytes > largestAnswerBytes) throw new Error(`${name} answers with too much`);
    pieces.push(piece);
  }
  return parseRevision(Buffer.concat(pieces).toString('utf8'));
}
