// What a session reported and wrote, as lines of text that do not depend on how its input was cut into pieces.
import assert from 'node:assert/strict';
import { describeBytes } from '../h1/bytes-notation.ts';

/** Longer patterns of lines are not looked for. */
const longestPattern = 12;
const fewestRepeats = 3;

export class SessionLog {
  readonly #lines: string[] = [];
  #bodyStream = 0;
  #body: Buffer[] = [];

  line(line: string): void {
    this.#endBody();
    this.#lines.push(line);
  }

  /** Adjacent pieces of one stream become one line. */
  body(streamId: number, bytes: Buffer, start: number, end: number): void {
    assert(start < end, 'a piece of body is never empty');
    if (this.#bodyStream !== streamId) this.#endBody();
    this.#bodyStream = streamId;
    this.#body.push(Buffer.from(bytes.subarray(start, end)));
  }

  #endBody(): void {
    if (this.#body.length === 0) return;
    const bytes = Buffer.concat(this.#body.splice(0));
    this.#lines.push(`body ${this.#bodyStream} "${describeBytes(bytes)}"`);
    this.#bodyStream = 0;
  }

  finish(): readonly string[] {
    this.#endBody();
    return mergeRepeats(this.#lines);
  }
}

/** The number of a stream is what differs in lines that repeat. */
function patternOf(line: string): string {
  return line.replace(/(?<=^(?:> )?[A-Za-z_]+ )\d+/, '*');
}

/** Lines that come again and again stand there once, indented, under how often they come. */
function mergeRepeats(lines: readonly string[]): readonly string[] {
  const patterns = lines.map(patternOf);
  const merged: string[] = [];
  for (let at = 0; at < lines.length;) {
    const { size, times } = repeatAt(patterns, at);
    if (times < fewestRepeats) merged.push(lines[at++] ?? '');
    else {
      merged.push(`${times} times:`, ...patterns.slice(at, at + size).map((line) => `  ${line}`));
      at += size * times;
    }
  }
  return merged;
}

function repeatAt(patterns: readonly string[], at: number): { size: number; times: number } {
  for (let size = 1; size <= longestPattern; size++) {
    let end = at + size;
    while (end < patterns.length && patterns[end] === patterns[end - size]) end++;
    const times = Math.floor((end - at) / size);
    if (times >= fewestRepeats) return { size, times };
  }
  return { size: 1, times: 1 };
}
