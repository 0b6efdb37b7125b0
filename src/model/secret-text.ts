// Text that must not be seen: private keys. It prints as [redacted] wherever values are printed, logged or serialised.

const redacted = '[redacted]';
/** `inspect.custom` of node:util, which would load all of it: a fifth of what a worker loads, on Bun. */
const customInspection = Symbol.for('nodejs.util.inspect.custom');

export class SecretText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself: for the one place that stores it, and the one that uses it. */
  reveal(): string {
    return this.#text;
  }

  equals(other: SecretText): boolean {
    return this.#text === other.#text;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [customInspection](): string {
    return redacted;
  }
}
