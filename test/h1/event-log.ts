// What a parser reported, as lines of text that do not depend on how its input was cut into pieces.
import assert from 'node:assert/strict';
import type { FaultCode } from '#http/fault.ts';
import { faultOf } from '#http/fault.ts';
import { FieldSection } from '#http/field-section.ts';
import { BodyFraming } from '#http/message-head.ts';
import { describeBytes } from './bytes-notation.ts';

const noFields = new FieldSection(0);

export class EventLog {
  readonly #lines: string[] = [];
  #body: Buffer[] = [];
  #isClosed = false;

  head(words: readonly string[], fields: FieldSection, kind: 'field' | 'trailer' = 'field'): void {
    this.line(words.filter((word) => word !== '').join(' '));
    for (let index = 0; index < fields.count; index++) {
      const value = describeBytes(Buffer.from(fields.value(index), 'latin1'));
      this.line(`${kind} ${fields.name(index)}: ${value}`.trimEnd());
    }
  }

  /** Adjacent pieces become one line. */
  body(bytes: Buffer, start: number, end: number): void {
    assert(start < end, 'a piece of body is never empty');
    assert(!this.#isClosed, 'no event after a fault');
    this.#body.push(Buffer.from(bytes.subarray(start, end)));
  }

  line(line: string): void {
    assert(!this.#isClosed, 'no event after a fault');
    if (this.#body.length > 0) this.#lines.push(`body "${describeBytes(Buffer.concat(this.#body))}"`);
    this.#body = [];
    this.#lines.push(line);
  }

  end(trailers: FieldSection | undefined): void {
    this.head(['end'], trailers ?? noFields, 'trailer');
  }

  /** The last event there may be. */
  fault(code: FaultCode): void {
    const { status, closes } = faultOf(code);
    this.line(`fault ${code} ${status}${closes ? ' close' : ''}`);
    this.#isClosed = true;
  }

  /** All lines; `unfinished` stands for a message that is still under way. */
  finish(isUnfinished: boolean): readonly string[] {
    if (isUnfinished) this.line('unfinished');
    return mergeEqual(this.#lines);
  }
}

/** A hundred equal fields are one line. */
function mergeEqual(lines: readonly string[]): readonly string[] {
  const merged: string[] = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at] ?? '';
    let next = at + 1;
    while (lines[next] === line) next++;
    merged.push(next - at > 2 ? `${line} (${next - at} times)` : line);
    if (next - at === 2) merged.push(line);
    at = next;
  }
  return merged;
}

export function framingWord(framing: BodyFraming, contentLength: number): string {
  switch (framing) {
    case BodyFraming.None:
      return 'framing=none';
    case BodyFraming.Length:
      return `framing=length:${contentLength}`;
    case BodyFraming.Chunked:
      return 'framing=chunked';
    case BodyFraming.UntilClose:
      return 'framing=until-close';
  }
}

export function dropsWord(connectionNames: readonly string[]): string {
  return connectionNames.length === 0 ? '' : `drops=${connectionNames.join(',')}`;
}
