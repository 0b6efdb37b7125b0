// A collection that may not be there: its kind is not installed, or nobody has allowed us to read it. Then it is empty, and
// asked for again now and then.
import { isApiError } from './api-client.ts';
import { delay } from './deadline.ts';
import { Expired } from './source.ts';
import type { KubeObject, Listed, Source, WatchEvent } from './source.ts';

const absent = 'absent';
const askAgainMs = 30_000;

export class OptionalSource<T extends KubeObject> implements Source<T> {
  readonly name: string;
  readonly #source: Source<T>;
  readonly #askAgainMs: number;

  constructor(source: Source<T>, againMs: number = askAgainMs) {
    this.name = source.name;
    this.#source = source;
    this.#askAgainMs = againMs;
  }

  async list(signal: AbortSignal, onPage?: () => void): Promise<Listed<T>> {
    try {
      return await this.#source.list(signal, onPage);
    } catch (error) {
      if (isAbsence(error)) return { items: [], resourceVersion: absent };
      throw error;
    }
  }

  async *watch(resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
    if (resourceVersion === absent) {
      await delay(this.#askAgainMs, signal);
      throw new Expired(`${this.name} were not there when last asked for`);
    }
    try {
      yield* this.#source.watch(resourceVersion, signal);
    } catch (error) {
      // It has been removed since: only a list says so.
      throw isAbsence(error) ? new Expired(`${this.name} are not there any more`) : error;
    }
  }
}

function isAbsence(error: unknown): boolean {
  return isApiError(error, 404) || isApiError(error, 403);
}
