// A check that wants a connection and nothing more: with TLS, one whose handshake has proved who the endpoint is.
import type { ConnectEvents, Socket } from '#transport/transport.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner, TimerWheel } from '#transport/timer-wheel.ts';
import { connectFault } from './connect-fault.ts';
import { brokeOff, passed, timedOut } from './prober.ts';
import type { OnOutcome, ProbedEndpoint, ProbeOutcome, RunningProbe } from './prober.ts';
import type { Connector } from './secure-connector.ts';
import type { UpstreamContext } from './upstream-connection.ts';

export class TcpProbe implements RunningProbe, ConnectEvents, TimerOwner {
  readonly #timeoutMs: number;
  readonly #timers: TimerWheel;
  readonly #deadline = new Timer(this);
  readonly #socket: Socket;
  #onOutcome: OnOutcome | undefined;

  constructor(
    context: UpstreamContext,
    connector: Connector | undefined,
    { address, port }: ProbedEndpoint,
    timeoutMs: number,
    onOutcome: OnOutcome,
  ) {
    this.#timeoutMs = timeoutMs;
    this.#onOutcome = onOutcome;
    this.#timers = context.timers;
    this.#timers.set(this.#deadline, timeoutMs);
    this.#socket = (connector ?? context.transport).connect(address, port, this);
  }

  cancel(): void {
    this.#onOutcome = undefined;
    this.#end();
  }

  onConnect(): void {
    this.#finish(passed('it accepts connections'));
  }

  onBytes(): void {}

  onDrain(): void {}

  onEnd(): void {}

  onClose(code: string | undefined): void {
    this.#finish(brokeOff(connectFault(code)));
  }

  onTimer(): void {
    this.#finish(timedOut('connection', this.#timeoutMs));
  }

  #finish(outcome: ProbeOutcome): void {
    const onOutcome = this.#onOutcome;
    this.#onOutcome = undefined;
    this.#end();
    onOutcome?.(outcome);
  }

  #end(): void {
    this.#timers.clear(this.#deadline);
    this.#socket.destroy();
  }
}
