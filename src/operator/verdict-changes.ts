// Which objects are to be told something else than after the last publish: a verdict that stayed is the same value, and costs a
// comparison.
import { ListDifference } from '#model/list-difference.ts';
import type { Verdict } from '#translate/verdict.ts';

export interface ChangedVerdicts {
  /** By `namespace/name`. */
  readonly due: Map<string, Verdict>;
  /** `namespace/name` of objects on which there is no verdict any more. */
  readonly gone: readonly string[];
}

export class VerdictChanges {
  readonly #difference = new ListDifference<Verdict>();

  /** `verdicts`: on objects of one kind. */
  update(verdicts: readonly Verdict[]): ChangedVerdicts {
    const { added, removed } = this.#difference.update(verdicts);
    const due = new Map(added.map((verdict) => [idOf(verdict), verdict]));
    return { due, gone: removed.map(idOf).filter((id) => !due.has(id)) };
  }
}

/** `namespace/name` of the object that it is on. */
export function idOf({ object: { namespace, name } }: Verdict): string {
  return `${namespace}/${name}`;
}
