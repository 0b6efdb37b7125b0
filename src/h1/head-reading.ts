// What reading a head needs: the lines, and the record that they fill.
//
// A worker has few heads under way at a time and many connections; those that read none at the moment hold no part of
// this, which is 6 KB less for each. Readings go round among the parsers of a thread.
import { RequestHead, ResponseHead } from '#http/message-head.ts';
import { LineWindow } from './line-window.ts';
import type { ParserLimits } from './parser-limits.ts';

export interface HeadReading<Head> {
  readonly head: Head;
  readonly lines: LineWindow;
}

const mostFree = 32;

export class HeadReadings<Head> {
  readonly #make: () => Head;
  readonly #headBytes: number;
  readonly #free: HeadReading<Head>[] = [];

  constructor(make: () => Head, headBytes: number) {
    this.#make = make;
    this.#headBytes = headBytes;
  }

  take(): HeadReading<Head> {
    return this.#free.pop() ?? { head: this.#make(), lines: new LineWindow(this.#headBytes) };
  }

  /** Whoever had it keeps nothing of it. */
  give(reading: HeadReading<Head>): void {
    reading.lines.reset();
    if (this.#free.length < mostFree) this.#free.push(reading);
  }
}

interface Readings {
  readonly requests: HeadReadings<RequestHead>;
  readonly responses: HeadReadings<ResponseHead>;
}

const byLimits = new WeakMap<ParserLimits, Readings>();

/** Those of all parsers with these limits. */
export function readingsFor(limits: ParserLimits): Readings {
  const known = byLimits.get(limits);
  if (known !== undefined) return known;
  const { fields, headBytes } = limits;
  const readings = {
    requests: new HeadReadings(() => new RequestHead(fields), headBytes),
    responses: new HeadReadings(() => new ResponseHead(fields), headBytes),
  };
  byLimits.set(limits, readings);
  return readings;
}
