// Brings together what is known of a failed request, and keeps what the judgement says of it.
import type { AccessLine, FlintProcess } from '../test/e2e/flint-process.ts';
import type { SoakBackends } from './soak-backends.ts';
import type { SoakFaults } from './soak-faults.ts';
import { explanation } from './soak-judgement.ts';
import type { Traffic } from './soak-traffic.ts';

/** Lines of the access log and the words of backends are there by then. */
const patienceMs = 15_000;
/** Longer than any request lasts. */
const keptMs = 240_000;

export class SoakCourt {
  explained = 0;
  unexplained = 0;
  /** Explanation -> how often. */
  readonly reasons = new Map<string, number>();
  readonly #flint: FlintProcess;
  readonly #backends: SoakBackends;
  readonly #faults: SoakFaults;
  readonly #traffic: Traffic;
  /** By the names of requests, the oldest first. */
  readonly #lines = new Map<string, { readonly line: AccessLine; readonly atMs: number }>();

  readonly #onUnexplained: (failure: string) => void;

  constructor(
    flint: FlintProcess,
    backends: SoakBackends,
    faults: SoakFaults,
    traffic: Traffic,
    onUnexplained: (failure: string) => void,
  ) {
    this.#flint = flint;
    this.#backends = backends;
    this.#faults = faults;
    this.#traffic = traffic;
    this.#onUnexplained = onUnexplained;
  }

  /** Those failures about which everything is known by now; at the end, which is Infinity, all of them. */
  judge(nowMs: number): void {
    for (const line of this.#flint.accessLog.splice(0))
      this.#lines.set(String(line['requestId']), { line, atMs: performance.now() });
    const { failures } = this.#traffic;
    const waiting = failures.splice(0);
    for (const failure of waiting) {
      if (failure.endedMs + patienceMs > nowMs) {
        failures.push(failure);
        continue;
      }
      const line = this.#lines.get(failure.id)?.line;
      const harm = this.#backends.harms.get(failure.id);
      const reason = explanation(failure, line, harm, this.#faults.killings);
      if (reason !== undefined) {
        this.explained++;
        this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
      } else {
        this.unexplained++;
        this.#onUnexplained(JSON.stringify({ ...failure, line, harm }));
      }
    }
    for (const [id, { atMs }] of this.#lines) {
      if (atMs + keptMs > nowMs) break;
      this.#lines.delete(id);
      this.#backends.harms.delete(id);
    }
  }
}
