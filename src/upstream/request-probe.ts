// A check that sends one request, over a connection of its own which is closed when the answer is there.
import type { FaultCode } from '#http/fault.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { ResponseHead } from '#http/message-head.ts';
import { defaultSettings } from '#model/default-settings.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { Endpoint } from './endpoint.ts';
import { openRequest } from './open-request.ts';
import type { ResponseJudge } from './probe-judges.ts';
import { brokeOff, failed, timedOut } from './prober.ts';
import type { OnOutcome, ProbedEndpoint, ProbeOutcome, RunningProbe } from './prober.ts';
import type { UpstreamContext } from './upstream-connection.ts';
import type { UpstreamRequest, UpstreamUser } from './upstream-request.ts';

/** What endpoints are asked on some terms. */
export interface Question {
  readonly method: 'GET' | 'POST';
  /** As HTTP/1.1 has it. */
  head(endpoint: ProbedEndpoint): Buffer;
  readonly body: Buffer;
  judge(): ResponseJudge;
}

/** The timeout of a check is its own, and its connection serves nobody after it. */
const settings = { ...defaultSettings, connectTimeoutMs: 0, upstreamIdleTimeoutMs: 0 };
const noBytes = Buffer.alloc(0);

export class RequestProbe implements RunningProbe, UpstreamUser, TimerOwner {
  readonly #context: UpstreamContext;
  readonly #endpoint: Endpoint;
  readonly #question: Question;
  readonly #judge: ResponseJudge;
  readonly #timeoutMs: number;
  readonly #deadline = new Timer(this);
  readonly #request: UpstreamRequest;
  #isConnected = false;
  #onOutcome: OnOutcome | undefined;

  constructor(
    context: UpstreamContext,
    endpoint: Endpoint,
    question: Question,
    timeoutMs: number,
    onOutcome: OnOutcome,
  ) {
    this.#context = context;
    this.#endpoint = endpoint;
    this.#question = question;
    this.#judge = question.judge();
    this.#timeoutMs = timeoutMs;
    this.#onOutcome = onOutcome;
    context.timers.set(this.#deadline, timeoutMs);
    this.#request = openRequest(context, endpoint, this, true, false, settings);
  }

  cancel(): void {
    this.#onOutcome = undefined;
    this.#request.destroy();
    this.#end();
  }

  onUpstreamOpen(): void {
    this.#isConnected = true;
    const { method, body } = this.#question;
    const bytes = this.#question.head(this.#endpoint);
    this.#request.begin(method, false, false);
    this.#request.addHead(bytes, bytes.length);
    if (body.length > 0) this.#request.addBody(body, 0, body.length);
    this.#request.endRequest(noBytes, 0);
    this.#request.flush();
  }

  onInterimHead(): void {}

  onResponseHead(head: ResponseHead): void {
    this.#breakOff(this.#judge.onHead(head));
  }

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    // What comes in the same turn after the outcome.
    if (this.#onOutcome !== undefined) this.#breakOff(this.#judge.onBody(bytes, start, end));
  }

  onResponseEnd(trailers: FieldSection | undefined): void {
    if (this.#onOutcome !== undefined) this.#finish(this.#judge.onEnd(trailers));
  }

  onSwitch(): undefined {
    // It was not asked for, so no parser takes a 101 for one.
    this.#breakOff(failed('it switched protocols'));
  }

  onUpstreamTurnEnd(): void {}

  onUpstreamDrain(): void {}

  onUpstreamFault(code: FaultCode): void {
    this.#finish(brokeOff(code));
  }

  onTimer(): void {
    this.#breakOff(timedOut(this.#isConnected ? 'answer' : 'connection', this.#timeoutMs));
  }

  #breakOff(outcome: ProbeOutcome | undefined): void {
    if (outcome === undefined) return;
    this.#request.destroy();
    this.#finish(outcome);
  }

  #finish(outcome: ProbeOutcome): void {
    const onOutcome = this.#onOutcome;
    this.#onOutcome = undefined;
    this.#end();
    onOutcome?.(outcome);
  }

  /** A connection of HTTP/2 is not closed amid its events. */
  #end(): void {
    this.#context.timers.clear(this.#deadline);
    this.#context.transport.afterTurn(() => this.#endpoint.retire());
  }
}
