// Which revision every data-plane pod serves, pulled from each by a long poll: proof instead of hope, and no pod needs
// the right to write anything.
import { BackOff } from '#kube/back-off.ts';
import { delay } from '#kube/deadline.ts';
import type { Revision } from '#model/revision.ts';
import type { Candidate } from './members.ts';

export interface AcknowledgementsOptions {
  /** Resolves to the pod's revision when it is newer than `after`, or after some seconds; rejects when there is no answer. */
  readonly ask: (candidate: Candidate, after: number, signal: AbortSignal) => Promise<Revision>;
  /** The digest that was published as this revision, where it is known. */
  readonly digestOf: (sequence: number) => string | undefined;
  /** Some pod has said something new, or is silent for too long. */
  readonly onChange: () => void;
  readonly onSilence: (candidate: Candidate) => void;
  readonly signal: AbortSignal;
  readonly silenceMs?: number;
}

/** Who serves what is asked for, of those who count. */
export interface Tally {
  readonly total: number;
  readonly serving: number;
  /** `flint-proxy-7x (node-b): serves revision 11`, the first few. */
  readonly laggards: readonly string[];
}

/** What the pods say that they understand. */
export interface Understanding {
  /** Of every pod that has answered, ready or not: the schema numbers of each. */
  readonly running: readonly (readonly number[])[];
  /** Of those that count. */
  readonly counting: readonly (readonly number[])[];
  /** Pods that count and have not answered yet. */
  readonly unknown: number;
}

/** A pod that has not answered for this long does not count: it must not hold every deploy. */
const silenceDefaultMs = 30_000;
const namedLaggards = 3;
/** Ten years at a hundred revisions a second: a pod that claims more is not believed, or numbers would run out. */
const largestLeap = 2 ** 35;
/** Between two questions to one pod, whatever it answers; and when it has nothing to say. */
const leastPauseMs = 20;
const idlePauseMs = 100;

interface Member {
  candidate: Candidate;
  readonly ending: AbortController;
  revision: Revision | undefined;
  answeredMs: number;
  isSilent: boolean;
}

export class Acknowledgements {
  readonly #options: AcknowledgementsOptions;
  readonly #members = new Map<string, Member>();

  constructor(options: AcknowledgementsOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.update([]));
  }

  /** Asks these from now on, and no others. */
  update(candidates: readonly Candidate[]): void {
    const wanted = new Map(
      candidates.map((candidate) => [`${candidate.uid} ${candidate.urls.join(' ')}`, candidate]),
    );
    for (const [key, member] of this.#members) {
      if (wanted.has(key)) continue;
      member.ending.abort();
      this.#members.delete(key);
    }
    for (const [key, candidate] of wanted) {
      const known = this.#members.get(key);
      if (known !== undefined) {
        // Time to answer begins anew for one that has become ready.
        if (candidate.counts && !known.candidate.counts && known.revision === undefined)
          known.answeredMs = performance.now();
        known.candidate = candidate;
        continue;
      }
      if (this.#options.signal.aborted) continue;
      const member: Member = {
        candidate,
        ending: new AbortController(),
        revision: undefined,
        // Time to answer for the first time.
        answeredMs: performance.now(),
        isSilent: false,
      };
      this.#members.set(key, member);
      void this.#poll(member);
    }
  }

  /** How many of those who count serve `sequence` or a newer revision of ours. */
  tally(sequence: number): Tally {
    const laggards: string[] = [];
    let total = 0;
    let serving = 0;
    for (const { candidate, revision, isSilent } of this.#members.values()) {
      if (isSilent || !candidate.counts) continue;
      total++;
      if (revision !== undefined && revision.sequence >= sequence && this.#isOurs(revision)) serving++;
      else if (laggards.length < namedLaggards)
        laggards.push(`${candidate.name} (${candidate.node}): ${stateText(revision)}`);
    }
    return { total, serving, laggards };
  }

  /** The highest revision that some pod serves and nobody here has published: left by a head that was lost. 0: none. */
  beyond(published: number): number {
    let beyond = 0;
    for (const { revision } of this.#members.values())
      if (
        revision !== undefined &&
        (revision.sequence > published || this.#isAstray(revision)) &&
        revision.sequence <= published + largestLeap
      )
        beyond = Math.max(beyond, revision.sequence);
    return beyond;
  }

  /** To be called now and then: silence makes no noise of its own. */
  findSilent(): void {
    const { silenceMs = silenceDefaultMs, onSilence, onChange } = this.#options;
    for (const member of this.#members.values()) {
      if (member.isSilent || !member.candidate.counts) continue;
      if (performance.now() - member.answeredMs < silenceMs) continue;
      member.isSilent = true;
      onSilence(member.candidate);
      onChange();
    }
  }

  get count(): number {
    let count = 0;
    for (const { candidate, isSilent } of this.#members.values()) if (candidate.counts && !isSilent) count++;
    return count;
  }

  get understanding(): Understanding {
    const running: (readonly number[])[] = [];
    const counting: (readonly number[])[] = [];
    let unknown = 0;
    for (const { candidate, revision, isSilent } of this.#members.values()) {
      if (revision !== undefined) {
        running.push(revision.schemas);
        if (candidate.counts) counting.push(revision.schemas);
      } else if (candidate.counts && !isSilent) unknown++;
    }
    return { running, counting, unknown };
  }

  /** Published by this leader, or found by it: a number alone proves nothing after a head was lost. */
  #isOurs({ sequence, digest }: Revision): boolean {
    return this.#options.digestOf(sequence) === digest;
  }

  /** A revision under a number of ours that holds something else than what we published. */
  #isAstray(revision: Revision): boolean {
    return this.#options.digestOf(revision.sequence) !== undefined && !this.#isOurs(revision);
  }

  async #poll(member: Member): Promise<void> {
    const { ask, onChange } = this.#options;
    const { candidate, ending } = member;
    const backOff = new BackOff();
    while (!ending.signal.aborted) {
      const known = member.revision;
      const revision = await ask(candidate, known?.sequence ?? 0, ending.signal).catch(() => undefined);
      // A pod that restarts, or a network that fails: what counts is how long it stays silent.
      member.revision = revision;
      if (revision === undefined) {
        await delay(Math.min(backOff.next(), 2000), ending.signal);
        continue;
      }
      const isNews = member.isSilent || JSON.stringify(revision) !== JSON.stringify(known);
      member.answeredMs = performance.now();
      member.isSilent = false;
      backOff.reset();
      if (isNews) onChange();
      // The pause is for pods that answer at once; one that waits for news has paused already.
      await delay(isNews ? leastPauseMs : idlePauseMs, ending.signal);
    }
  }
}

function stateText(revision: Revision | undefined): string {
  if (revision === undefined) return 'does not answer';
  const { sequence, refused } = revision;
  if (refused === null) return `serves revision ${sequence}`;
  return `serves revision ${sequence} and refuses a newer one (${refused.refusal}: ${refused.message})`;
}
