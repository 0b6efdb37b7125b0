// One upstream of the model in one worker: its endpoints outlive the revisions that name them, and so do their pools.
//
// Which endpoints come first:  of this zone and usable > usable > the others, or terminating ones where none is ready
// Usable is one that checks find well and that is not ejected.
import { endpointKey } from '#model/route-model.ts';
import type { LoadBalancing, Upstream as UpstreamModel } from '#model/route-model.ts';
import type { OutlierEjection, UpstreamPolicyKind, UpstreamPolicyOf } from '#model/upstream-policies.ts';
import { Circuit } from './circuit.ts';
import type { Waiter } from './circuit.ts';
import { Endpoint } from './endpoint.ts';
import type { EndpointHome } from './endpoint.ts';
import { pickEndpoint, pickWarm } from './load-balancing.ts';
import { highest } from '#model/rendezvous.ts';
import { RetryBudget } from './retry-budget.ts';
import { connectorFor } from './secure-connector.ts';
import type { Connector } from './secure-connector.ts';
import { alone } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';

/** What a worker needs of an upstream. */
export type ServedUpstream = Omit<UpstreamModel, 'discovery'>;

/** Of a request that no value tells where to go. */
export const noHash = -1;

const none: readonly Endpoint[] = [];

export class Upstream implements EndpointHome {
  readonly id: string;
  activeRequests = 0;
  readonly retries = new RetryBudget();
  /** What requests are told apart by; undefined: nothing. */
  hashSource: UpstreamPolicyOf<'ConsistentHash'> | undefined = undefined;
  readonly #surroundings: Surroundings;
  #loadBalancing: LoadBalancing;
  #slowStartMs = 0;
  #ejection: OutlierEjection | undefined = undefined;
  #circuit: Circuit | undefined = undefined;
  #circuitText = '';
  /** Those who wait are asked at the end of this turn. */
  #isWakeDue = false;
  #ready = none;
  #terminating = none;
  /** The ready ones that are meant for this zone; empty: all are. */
  #local = none;
  /** Of those two, without the ones that are unwell or ejected. */
  #usable = none;
  #usableLocal = none;
  /** When the next ejection is over; Infinity: there is none. */
  #returnMs = Infinity;
  /** Keys of endpoints, by what checks say. */
  #unwell: ReadonlySet<string> = new Set();
  /** Anywhere: workers that all began with the first endpoint would go on in step. */
  #turn = Math.floor(Math.random() * 1_000_000);
  #terms = '';
  #connector: Connector | undefined = undefined;
  /** The runtime does not take its authorities: it has no endpoints then, rather than unproved ones. */
  #isUntrustable = false;
  #hasBegun = false;

  constructor(model: ServedUpstream, surroundings: Surroundings = alone) {
    this.id = model.id;
    this.#surroundings = surroundings;
    this.#loadBalancing = model.loadBalancing;
    this.update(model);
  }

  /**
   * Endpoints that stay keep their connections; those that go finish what they have begun. None stays when they are to be
   * spoken to otherwise: a connection of before proves nothing now.
   */
  update(model: ServedUpstream): void {
    const before = this.#circuit;
    this.#agree(model);
    this.#takePolicies(model);
    const known = new Map(
      [...this.#ready, ...this.#terminating].map((endpoint) => [endpointKey(endpoint), endpoint]),
    );
    const next = new Map<string, Endpoint>();
    const sinceMs = this.#hasBegun ? this.#surroundings.now() : -Infinity;
    for (const each of this.#isUntrustable ? [] : model.endpoints) {
      const key = endpointKey(each);
      const endpoint = known.get(key) ?? new Endpoint(this, each, model.protocol, this.#connector, sinceMs);
      known.delete(key);
      endpoint.state = each.state;
      endpoint.isUnwell = this.#unwell.has(key);
      if (!next.has(key)) next.set(key, endpoint);
    }
    const endpoints = [...next.values()];
    for (const endpoint of known.values()) endpoint.retire();
    this.#ready = endpoints.filter((endpoint) => endpoint.state === 'Ready');
    this.#terminating = endpoints.filter((endpoint) => endpoint.state === 'Terminating');
    if (this.#ready.length > 0) this.#hasBegun = true;
    const { zone } = this.#surroundings;
    const hinted = zone === '' ? undefined : model.zoneHints.find((hint) => hint.zone === zone);
    this.#local = (hinted?.endpoints ?? []).flatMap((index) => {
      const each = model.endpoints[index];
      const endpoint = each === undefined ? undefined : next.get(endpointKey(each));
      return endpoint?.state === 'Ready' ? [endpoint] : [];
    });
    this.#sortOut();
    // Not before: until here there may be no endpoint to go to.
    before?.wakeAll();
  }

  /** All endpoints, as `address port`, that checks find unwell. */
  setUnwell(keys: ReadonlySet<string>): void {
    this.#unwell = keys;
    for (const endpoint of this.#ready) endpoint.isUnwell = keys.has(endpointKey(endpoint));
    this.#sortOut();
  }

  #agree(model: ServedUpstream): void {
    const terms = JSON.stringify([model.protocol, model.tls]);
    if (terms === this.#terms) return;
    this.#dropEndpoints();
    this.#terms = terms;
    this.#isUntrustable = false;
    try {
      this.#connector = connectorFor(model, this.#surroundings.secure);
    } catch {
      this.#isUntrustable = true;
    }
  }

  #takePolicies({ loadBalancing, policies }: ServedUpstream): void {
    const policy = <Kind extends UpstreamPolicyKind>(kind: Kind): UpstreamPolicyOf<Kind> | undefined =>
      policies.find((each): each is UpstreamPolicyOf<Kind> => each.kind === kind);
    this.#loadBalancing = loadBalancing;
    this.hashSource = policy('ConsistentHash');
    this.#slowStartMs = policy('SlowStart')?.windowMs ?? 0;
    this.#ejection = policy('OutlierEjection');
    const breaker = policy('CircuitBreaker');
    const circuitText = JSON.stringify(breaker ?? null);
    if (circuitText === this.#circuitText) return;
    this.#circuitText = circuitText;
    this.#circuit = breaker && new Circuit(breaker, this.#surroundings.workers);
  }

  retire(): void {
    this.#dropEndpoints();
    this.#circuit?.wakeAll();
  }

  #dropEndpoints(): void {
    for (const endpoint of [...this.#ready, ...this.#terminating]) endpoint.retire();
    this.#ready = none;
    this.#terminating = none;
    this.#local = none;
    this.#sortOut();
  }

  // Picking

  /**
   * An endpoint that is not in `tried` and has room, in the order above; undefined when there is none. `hash` is what tells
   * requests apart, where that is asked for.
   */
  pick(tried: readonly Endpoint[], hash = noHash): Endpoint | undefined {
    this.#takeBack();
    const circuit = this.#circuit;
    // Who has just come does not go before those who wait.
    if (circuit?.hasWaiting === true && !circuit.isWaking) circuit.wake(this);
    const others = this.#ready.length > 0 ? this.#ready : this.#terminating;
    return (
      (this.#usableLocal.length === 0 ? undefined : this.#pickOf(this.#usableLocal, tried, hash)) ??
      this.#pickOf(this.#usable, tried, hash) ??
      (others === this.#usable ? undefined : this.#pickOf(others, tried, hash))
    );
  }

  #pickOf(endpoints: readonly Endpoint[], tried: readonly Endpoint[], hash: number): Endpoint | undefined {
    const circuit = this.#circuit;
    let candidates = tried.length === 0 ? endpoints : endpoints.filter((each) => !tried.includes(each));
    if (circuit !== undefined) {
      if (this.isFull) return undefined;
      const connections = this.#busyConnections;
      candidates = candidates.filter((each) => circuit.hasRoom(each, connections));
    }
    if (candidates.length === 0) return undefined;
    if (hash !== noHash && this.hashSource !== undefined) return highest(candidates, hash);
    // Another attempt takes nobody's turn: of two endpoints the one that fails would be first every time.
    const turn = tried.length === 0 ? this.#turn++ : this.#turn;
    return this.#slowStartMs === 0
      ? pickEndpoint(this.#loadBalancing, candidates, turn, Math.random)
      : pickWarm(
          this.#loadBalancing,
          candidates,
          turn,
          Math.random,
          this.#slowStartMs,
          this.#surroundings.now(),
        );
  }

  /** The one with this seed, if it is usable and has room: where a session was before. */
  find(seed: number): Endpoint | undefined {
    this.#takeBack();
    const circuit = this.#circuit;
    const endpoint = this.#usable.find((each) => each.seed === seed);
    if (endpoint === undefined || circuit === undefined) return endpoint;
    if (circuit.hasWaiting && !circuit.isWaking) circuit.wake(this);
    return !this.isFull && circuit.hasRoom(endpoint, this.#busyConnections) ? endpoint : undefined;
  }

  get hasEndpoints(): boolean {
    return this.#ready.length + this.#terminating.length > 0;
  }

  /** Some endpoint is well, and not ejected. */
  get hasUsable(): boolean {
    this.#takeBack();
    return this.#usable.length > 0;
  }

  /** It has connections, or requests under way, or that wait. */
  get isBusy(): boolean {
    return this.#circuit?.hasWaiting === true || this.#ready.some(isBusy) || this.#terminating.some(isBusy);
  }

  // Limits

  /** It has as many requests as it may have. */
  get isFull(): boolean {
    return this.#circuit?.isFull(this.activeRequests) === true;
  }

  /** After pick has found nobody. Waiting: goOn follows, unless the waiter is forgotten. */
  wait(waiter: Waiter, tried: readonly Endpoint[]): 'Waiting' | 'TooMany' | 'Nobody' {
    const others = this.#ready.length > 0 ? this.#ready : this.#terminating;
    if (this.#circuit === undefined || others.every((each) => tried.includes(each))) return 'Nobody';
    return this.#circuit.wait(waiter);
  }

  forget(waiter: Waiter): void {
    this.#circuit?.forget(waiter);
  }

  onLeave(): void {
    if (this.#isWakeDue || this.#circuit?.hasWaiting !== true) return;
    this.#isWakeDue = true;
    // Only then the connection of the request that has ended is idle, or closed.
    this.#surroundings.afterTurn(() => {
      this.#isWakeDue = false;
      this.#circuit?.wake(this);
    });
  }

  /** Some endpoint takes one more request. */
  get hasRoom(): boolean {
    const circuit = this.#circuit;
    if (circuit === undefined) return true;
    if (this.isFull) return false;
    const connections = this.#busyConnections;
    const endpoints = this.#ready.length > 0 ? this.#ready : this.#terminating;
    return endpoints.some((each) => circuit.hasRoom(each, connections));
  }

  get #busyConnections(): number {
    let sum = 0;
    for (const endpoint of this.#ready) sum += endpoint.busyConnections;
    for (const endpoint of this.#terminating) sum += endpoint.busyConnections;
    return sum;
  }

  makeRoom(endpoint: Endpoint): void {
    const circuit = this.#circuit;
    if (circuit === undefined) return;
    for (let surplus = circuit.surplusOf(endpoint); surplus > 0; surplus--) endpoint.dropIdle();
    const all = [...this.#terminating, ...this.#ready];
    const connections = all.reduce((sum, each) => sum + each.connections, 0);
    for (let surplus = circuit.surplus(connections); surplus > 0; surplus--)
      all.find((each) => each.idleConnections > 0)?.dropIdle();
  }

  // Health

  judge(endpoint: Endpoint): void {
    const terms = this.#ejection ?? this.#surroundings.outlierEjection;
    const reason = endpoint.outlier.reason(terms);
    // One that is about to go is asked only where nobody else is.
    if (reason === undefined || endpoint.isRetired || endpoint.state !== 'Ready') return;
    const nowMs = this.#surroundings.now();
    if (endpoint.outlier.ejectedUntilMs > nowMs) return;
    this.#takeBack();
    // Of those that are left nobody knows whether they could bear it all.
    const unusable = this.#ready.length - this.#usable.length;
    if (unusable + 1 > this.#ready.length / 2) return;
    endpoint.outlier.eject(terms, nowMs);
    this.#sortOut();
    const durationMs = endpoint.outlier.ejectedUntilMs - nowMs;
    this.#surroundings.onEjection(this.id, endpoint, reason, durationMs);
  }

  /** Those whose ejection is over: nothing else tells. */
  #takeBack(): void {
    if (this.#returnMs < Infinity && this.#surroundings.now() >= this.#returnMs) this.#sortOut();
  }

  #sortOut(): void {
    const nowMs = this.#surroundings.now();
    this.#returnMs = Infinity;
    for (const { outlier } of this.#ready)
      if (outlier.ejectedUntilMs > nowMs) this.#returnMs = Math.min(this.#returnMs, outlier.ejectedUntilMs);
    const isUsable = ({ isUnwell, outlier }: Endpoint): boolean =>
      !isUnwell && outlier.ejectedUntilMs <= nowMs;
    const areAll = this.#ready.every(isUsable);
    this.#usable = areAll ? this.#ready : this.#ready.filter(isUsable);
    this.#usableLocal = areAll ? this.#local : this.#local.filter(isUsable);
  }
}

function isBusy(endpoint: Endpoint): boolean {
  return endpoint.isBusy;
}
