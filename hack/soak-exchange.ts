// What one exchange of the soak is: where it goes, how it is called, and how it says that it has failed.
import type { Failure } from './soak-judgement.ts';

export interface Target {
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly ca: string;
}

/** Resolves when the exchange went as it should; rejects with what was wrong, which is a break where it does not say. */
export type Exchange = (target: Target, id: string) => Promise<void>;

export interface Client {
  readonly name: string;
  readonly exchange: Exchange;
  readonly isIdempotent: boolean;
  /** Between one exchange and the next. */
  readonly paceMs: number;
  readonly count: number;
}

/** More than a busy machine needs for the largest answer to the slowest client. */
export const patienceMs = 120_000;

export class ExchangeFailure extends Error {
  readonly kind: Failure['kind'];

  constructor(kind: Failure['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

export function wrong(message: string): ExchangeFailure {
  return new ExchangeFailure('Wrong', message);
}

export function badStatus(status: number | string): ExchangeFailure {
  return new ExchangeFailure('Status', `status ${status}`);
}

/** `begin` gets what to call when it is done, and when not; whatever takes longer than patience has failed. */
export function settledInTime(
  begin: (resolve: () => void, reject: (error: Error) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not over after ${patienceMs} ms`)), patienceMs);
    const end = (): void => clearTimeout(timer);
    begin(
      () => {
        end();
        resolve();
      },
      (error) => {
        end();
        reject(error);
      },
    );
  });
}
