// Data-plane pods as the operator asks them: each serves what the test says, answers when that is news, or is silent.
import type { Revision } from '#model/revision.ts';
import type { Candidate } from '#operator/members.ts';

interface Pod {
  revision: Revision;
  isSilent: boolean;
  /** Something has been said that no ask has heard yet. */
  isNews: boolean;
}

export function candidate(name: string, uid = `uid-${name}`): Candidate {
  return {
    name,
    namespace: 'flint-system',
    uid,
    node: `node-of-${name}`,
    urls: [`http://${name}:9901`],
    counts: true,
  };
}

export class ScriptedPods {
  /** `a after 3`, in the order of their coming. */
  readonly asked: string[] = [];
  /** Names of the pods whose ask was aborted. */
  readonly aborted: string[] = [];
  readonly #pods = new Map<string, Pod>();
  readonly #waiting = new Set<() => void>();

  /** From now on this pod serves `sequence`, and answers. */
  serve(name: string, sequence: number, others: Partial<Revision> = {}): void {
    const revision = {
      sequence,
      digest: `digest-${sequence}`,
      schemas: [1],
      workers: 2,
      refused: null,
      ...others,
    };
    this.#pods.set(name, { revision, isSilent: false, isNews: true });
    this.#wake();
  }

  /** From now on every ask of this pod fails. */
  silence(name: string): void {
    const pod = this.#pods.get(name);
    if (pod !== undefined) pod.isSilent = true;
    this.#wake();
  }

  readonly ask = async ({ name }: Candidate, after: number, signal: AbortSignal): Promise<Revision> => {
    this.asked.push(`${name} after ${after}`);
    for (;;) {
      if (signal.aborted) {
        this.aborted.push(name);
        throw signal.reason;
      }
      const pod = this.#pods.get(name);
      if (pod?.isSilent === true) throw new Error(`${name} does not answer`);
      if (pod !== undefined && (pod.isNews || pod.revision.sequence > after)) {
        pod.isNews = false;
        return pod.revision;
      }
      await this.#change(signal);
    }
  };

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
