// An action that is due once when the present turn is over, however often it is asked for.
import type { Transport } from './transport.ts';

export class TurnEnd {
  readonly #transport: Pick<Transport, 'afterTurn'>;
  readonly #run: () => void;
  #isDue = false;

  constructor(transport: Pick<Transport, 'afterTurn'>, action: () => void) {
    this.#transport = transport;
    this.#run = () => {
      this.#isDue = false;
      action();
    };
  }

  request(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#transport.afterTurn(this.#run);
  }
}
