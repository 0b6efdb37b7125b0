// Which endpoints are checked and when, and what follows from it: who is well and who is not.
//
//   waiting -- due --> queued -- a slot is free --> checking -- outcome --> waiting
//      well -- unhealthyThreshold bad ones in a row --> unwell -- healthyThreshold good ones in a row --> well
//
// Upstreams that are the same Service port and are checked on the same terms share their checks: a change of what else is
// asked of them makes another upstream, and forgets nothing. An endpoint is forgotten when no upstream has it any more.
import { endpointKey } from '#model/route-model.ts';
import type { Endpoint } from '#model/route-model.ts';
import type { ProbeTerms } from '#upstream/health-probe.ts';
import type { ProbeOutcome, Prober, ProbeResult } from '#upstream/prober.ts';
import { CheckedEndpoint, CheckedGroup } from './checked-group.ts';
import type { CheckedUpstream, EndpointState } from './checked-group.ts';
import { FairSlots } from './fair-slots.ts';
import { UnwellNews } from './unwell-news.ts';
import type { Unwell } from './unwell-news.ts';

export interface HealthChange {
  /** Of the upstreams that share the check: a Service port. */
  readonly upstream: string;
  readonly endpoint: Pick<Endpoint, 'address' | 'port'>;
  readonly isWell: boolean;
  /** In words: the last outcome. */
  readonly reason: string;
}

export interface HealthCheckerOptions {
  readonly createProber: (terms: ProbeTerms) => Prober;
  /** These upstreams have other unwell endpoints than was told before, which at first is none. */
  readonly onUnwell: (changed: Unwell) => void;
  /** Once for each endpoint that changes; onUnwell follows. */
  readonly onChange: (change: HealthChange) => void;
  /** How many checks there are at a time. */
  readonly parallel: number;
  readonly random?: () => number;
}

/** Of each interval, up and down: endpoints that came with one model do not stay in step. */
const jitter = 0.1;
/** Where more endpoints come together than there are slots, their first checks are spread over so much for each of them. */
const spreadMsPerEndpoint = 1;

export class HealthChecker {
  /** Checks that were made, by how they ended. */
  readonly counts: Record<ProbeResult, number> = { passed: 0, failed: 0, timeout: 0 };
  readonly #options: Required<HealthCheckerOptions>;
  readonly #groups = new Map<string, CheckedGroup>();
  readonly #slots: FairSlots<CheckedEndpoint>;
  readonly #news: UnwellNews;

  constructor(options: HealthCheckerOptions) {
    this.#options = { random: Math.random, ...options };
    this.#slots = new FairSlots({ slots: this.#options.parallel, start: (each) => this.#begin(each) });
    this.#news = new UnwellNews(options.onUnwell);
  }

  /** Those of a Service port that is checked in two ways count twice. */
  get unwellEndpoints(): number {
    let count = 0;
    for (const { unwell } of this.#groups.values()) count += unwell.size;
    return count;
  }

  /**
   * Exactly these from now on. What is new is checked at once, or within a short time where it is much; what is gone is
   * forgotten, and told with the next settle().
   */
  update(upstreams: readonly CheckedUpstream[]): void {
    const members = Map.groupBy(upstreams, ({ group }) => group);
    const groupsById = new Map<string, CheckedGroup>();
    const added: CheckedEndpoint[] = [];
    for (const [key, of] of members) {
      const group = this.#groups.get(key) ?? this.#createGroup(key, of[0]!);
      for (const { id } of of) groupsById.set(id, group);
      if (!isSame(group.upstreams, of)) this.#updateGroup(group, of, added);
    }
    for (const [key, group] of this.#groups)
      if (!members.has(key)) {
        this.#updateGroup(group, [], added);
        this.#groups.delete(key);
      }
    this.#news.update(groupsById);
    this.#beginAll(added);
  }

  /** Workers serve what the last update came with. */
  settle(): void {
    this.#news.settle();
  }

  /** Forgets all upstreams; nothing is told any more. */
  close(): void {
    this.update([]);
    this.#news.close();
  }

  /** Of each upstream: its endpoints in the order in which it has them. */
  *states(): Iterable<readonly [upstream: CheckedUpstream, endpoints: readonly EndpointState[]]> {
    for (const group of this.#groups.values())
      for (const upstream of group.upstreams)
        yield [upstream, upstream.endpoints.flatMap((each) => group.endpoints.get(endpointKey(each)) ?? [])];
  }

  #createGroup(key: string, { protocol, tls, check }: CheckedUpstream): CheckedGroup {
    const { probe, timeoutMs } = check;
    const prober = this.#options.createProber({ protocol, tls, probe, timeoutMs });
    const group = new CheckedGroup(key.split(' ', 1).join(), check, prober);
    this.#groups.set(key, group);
    return group;
  }

  /** Endpoints that are new are put into `added`. */
  #updateGroup(group: CheckedGroup, upstreams: readonly CheckedUpstream[], added: CheckedEndpoint[]): void {
    const gone = new Map(group.endpoints);
    group.upstreams = upstreams;
    for (const model of upstreams.flatMap(({ endpoints }) => endpoints)) {
      if (model.state === 'Terminating') continue;
      const key = endpointKey(model);
      gone.delete(key);
      if (group.endpoints.has(key)) continue;
      const endpoint = new CheckedEndpoint(group, key, model);
      group.endpoints.set(key, endpoint);
      added.push(endpoint);
    }
    for (const endpoint of gone.values()) this.#forget(endpoint);
  }

  #forget(endpoint: CheckedEndpoint): void {
    const { group, running } = endpoint;
    group.endpoints.delete(endpoint.key);
    group.unwell.delete(endpoint);
    clearTimeout(endpoint.timer);
    this.#slots.remove(group.lane, endpoint);
    if (running === undefined) return;
    endpoint.running = undefined;
    running.cancel();
    this.#slots.release(group.lane);
  }

  // When

  #beginAll(endpoints: readonly CheckedEndpoint[]): void {
    const { parallel, random } = this.#options;
    const spreadMs = endpoints.length <= parallel ? 0 : endpoints.length * spreadMsPerEndpoint;
    for (const endpoint of endpoints) {
      const delayMs = Math.min(spreadMs, endpoint.group.check.intervalMs) * random();
      if (delayMs < 1) this.#onDue(endpoint);
      else this.#wait(endpoint, delayMs);
    }
  }

  #wait(endpoint: CheckedEndpoint, delayMs: number): void {
    endpoint.timer = setTimeout(() => this.#onDue(endpoint), Math.round(delayMs));
    endpoint.timer.unref();
  }

  #onDue(endpoint: CheckedEndpoint): void {
    if (endpoint.running === undefined) this.#slots.add(endpoint.group.lane, endpoint);
    else endpoint.isOverdue = true;
  }

  #begin(endpoint: CheckedEndpoint): void {
    const { check, prober } = endpoint.group;
    endpoint.isOverdue = false;
    this.#wait(endpoint, check.intervalMs * (1 - jitter + 2 * jitter * this.#options.random()));
    endpoint.running = prober.probe(endpoint, (outcome) => this.#onOutcome(endpoint, outcome));
  }

  #onOutcome(endpoint: CheckedEndpoint, outcome: ProbeOutcome): void {
    endpoint.running = undefined;
    this.counts[outcome.result]++;
    endpoint.last = { text: outcome.text, atMs: Date.now() };
    this.#judge(endpoint, outcome);
    this.#slots.release(endpoint.group.lane);
    if (endpoint.isOverdue) this.#onDue(endpoint);
  }

  // What follows

  #judge(endpoint: CheckedEndpoint, { result, text }: ProbeOutcome): void {
    const { group, isWell } = endpoint;
    const isGood = result === 'passed';
    if (isGood === isWell) {
      endpoint.contrary = 0;
      return;
    }
    endpoint.contrary++;
    const { healthyThreshold, unhealthyThreshold } = group.check;
    if (endpoint.contrary < (isWell ? unhealthyThreshold : healthyThreshold)) return;
    endpoint.contrary = 0;
    endpoint.isWell = isGood;
    endpoint.sinceMs = Date.now();
    if (isGood) group.unwell.delete(endpoint);
    else group.unwell.add(endpoint);
    this.#options.onChange({ upstream: group.name, endpoint, isWell: isGood, reason: text });
    this.#news.onChange(group);
  }
}

function isSame<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
