// Counters of one worker in shared memory: the worker stores, the main thread reads, nobody waits.
//
//   [connections, active requests, retries, a counter per refusal, displaced connections that were idle and busy, a counter per fault, outcome of a handshake error of HTTP/2, bytes passed through ... | slot 0 | ...]
//   slot: [1xx .. 5xx, sum of seconds, count per bucket ...]
//
// The worker alone counts, with plain stores of aligned doubles, so a reader sees old or new values, never torn ones; the
// main thread writes only to zero a slot that is given to another route. Slot 0 counts what has no route and the routes beyond the limit.
import { faults } from '#http/fault.ts';
import type { FaultCode } from '#http/fault.ts';
import { errorCodeNames } from '#h2/error-code.ts';
import type { ErrorCode } from '#h2/error-code.ts';
import { handshakeOutcomes, http2Scopes, refusals } from '#proxy/connection-words.ts';
import type { HandshakeOutcome, Http2Scope, Refusal } from '#proxy/connection-words.ts';

/** Upper bounds in seconds; the last bucket has none. */
export const durationBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

export const faultCodes = Object.keys(faults) as readonly FaultCode[];

const statusClasses = 5;
const gauges = 2;
const refusedWord = gauges;
/** Idle ones, and busy ones. */
const displacedWord = refusedWord + refusals.length;
const retriesWord = displacedWord + 2;
const faultsWord = retriesWord + 1;
const handshakesWord = faultsWord + faultCodes.length;
const http2Word = handshakesWord + handshakeOutcomes.length;
/** Bytes of connections that were passed through: of clients, and of backends. */
const passthroughWord = http2Word + http2Scopes.length * errorCodeNames.length;
const headerWords = passthroughWord + 2;
const sumWord = statusClasses;
const bucketsWord = statusClasses + 1;
const slotWords = bucketsWord + durationBuckets.length + 1;

/** Above it routes share slot 0: a bound on series, whatever the number of objects. */
export const maxSlots = 1024;

export function newMetricMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((headerWords + maxSlots * slotWords) * Float64Array.BYTES_PER_ELEMENT);
}

const faultIndex = new Map(faultCodes.map((code, index) => [code, index]));

/** The worker's side. */
export class MetricWriter {
  readonly #words: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Float64Array(memory);
  }

  addConnections(change: number): void {
    this.#words[0]! += change;
  }

  addActiveRequests(change: number): void {
    this.#words[1]! += change;
  }

  countRefusedConnection(refusal: Refusal): void {
    this.#words[refusedWord + refusals.indexOf(refusal)]! += 1;
  }

  countDisplacedConnection(isIdle: boolean): void {
    this.#words[displacedWord + (isIdle ? 0 : 1)]! += 1;
  }

  countRetries(count: number): void {
    this.#words[retriesWord]! += count;
  }

  countFault(code: FaultCode): void {
    this.#words[faultsWord + (faultIndex.get(code) ?? 0)]! += 1;
  }

  countHandshake(outcome: HandshakeOutcome): void {
    this.#words[handshakesWord + handshakeOutcomes.indexOf(outcome)]! += 1;
  }

  countHttp2Error(scope: Http2Scope, code: ErrorCode): void {
    this.#words[http2Word + http2Scopes.indexOf(scope) * errorCodeNames.length + code]! += 1;
  }

  countPassthrough(requestBytes: number, responseBytes: number): void {
    this.#words[passthroughWord]! += requestBytes;
    this.#words[passthroughWord + 1]! += responseBytes;
  }

  /** `status` 0 stands for a client that is gone: counted as 4xx, like the 499 of others. */
  countRequest(slot: number, status: number, seconds: number): void {
    const base = headerWords + slot * slotWords;
    const statusClass = status === 0 ? 3 : Math.min(Math.max(Math.floor(status / 100), 1), statusClasses) - 1;
    this.#words[base + statusClass]! += 1;
    this.#words[base + sumWord]! += seconds;
    let bucket = 0;
    while (bucket < durationBuckets.length && seconds > durationBuckets[bucket]!) bucket++;
    this.#words[base + bucketsWord + bucket]! += 1;
  }
}

export interface SlotCounts {
  /** By status class, 1xx first. */
  readonly requests: readonly number[];
  readonly durationSum: number;
  /** Not cumulative; one more than durationBuckets. */
  readonly durationCounts: readonly number[];
}

/** The main thread's side: sums over the memories of all workers, past ones included so that counters never fall. */
export class MetricReader {
  readonly #memories: Float64Array[] = [];
  readonly #retired = new Float64Array(headerWords + maxSlots * slotWords);

  add(memory: SharedArrayBuffer): void {
    this.#memories.push(new Float64Array(memory));
  }

  /** Keeps the counts of a worker that is gone, but not its gauges. */
  retire(memory: SharedArrayBuffer): void {
    const at = this.#memories.findIndex((words) => words.buffer === memory);
    const [words] = at < 0 ? [] : this.#memories.splice(at, 1);
    words?.forEach((value, word) => {
      if (word >= gauges) this.#retired[word]! += value;
    });
  }

  /** A slot that another route takes over starts at zero. */
  clear(slot: number): void {
    const base = headerWords + slot * slotWords;
    for (const words of [...this.#memories, this.#retired]) words.fill(0, base, base + slotWords);
  }

  get connections(): number {
    return this.#sum(0);
  }

  get activeRequests(): number {
    return this.#sum(1);
  }

  refusedConnections(refusal: Refusal): number {
    return this.#sum(refusedWord + refusals.indexOf(refusal));
  }

  get displacedConnections(): { readonly idle: number; readonly busy: number } {
    return { idle: this.#sum(displacedWord), busy: this.#sum(displacedWord + 1) };
  }

  get retries(): number {
    return this.#sum(retriesWord);
  }

  faults(code: FaultCode): number {
    return this.#sum(faultsWord + (faultIndex.get(code) ?? 0));
  }

  handshakes(outcome: HandshakeOutcome): number {
    return this.#sum(handshakesWord + handshakeOutcomes.indexOf(outcome));
  }

  http2Errors(scope: Http2Scope, code: number): number {
    return this.#sum(http2Word + http2Scopes.indexOf(scope) * errorCodeNames.length + code);
  }

  get passedThrough(): { readonly requestBytes: number; readonly responseBytes: number } {
    return { requestBytes: this.#sum(passthroughWord), responseBytes: this.#sum(passthroughWord + 1) };
  }

  slot(slot: number): SlotCounts {
    const base = headerWords + slot * slotWords;
    return {
      requests: Array.from({ length: statusClasses }, (_, index) => this.#sum(base + index)),
      durationSum: this.#sum(base + sumWord),
      durationCounts: Array.from({ length: durationBuckets.length + 1 }, (_, index) =>
        this.#sum(base + bucketsWord + index),
      ),
    };
  }

  #sum(word: number): number {
    return this.#memories.reduce((sum, words) => sum + words[word]!, this.#retired[word]!);
  }
}
