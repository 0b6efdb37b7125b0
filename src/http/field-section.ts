// The header fields of one message: offsets into the bytes that they were parsed from, strings made only on demand.
import { Field, nameIs } from './field.ts';
import type { FieldId } from './field.ts';

const wordsPerField = 4;
const SP = 32;
const CR = 13;

/**
 * One section is reused for every message of a connection. Field `i` has its name at
 * `bytes[nameStart(i), nameEnd(i))` and its value, without surrounding whitespace, at `bytes[valueStart(i), valueEnd(i))`.
 * Valid until the next message is parsed or, as the bytes belong to the transport, until the current event returns.
 */
export class FieldSection {
  bytes: Buffer = Buffer.alloc(0);
  count = 0;
  readonly ids: Uint8Array;
  readonly offsets: Int32Array;
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.ids = new Uint8Array(capacity);
    this.offsets = new Int32Array(capacity * wordsPerField);
  }

  clear(): void {
    this.count = 0;
  }

  /** False when the section is full. */
  add(id: FieldId, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): boolean {
    if (this.count === this.capacity) return false;
    const at = this.count * wordsPerField;
    this.ids[this.count++] = id;
    this.offsets[at] = nameStart;
    this.offsets[at + 1] = nameEnd;
    this.offsets[at + 2] = valueStart;
    this.offsets[at + 3] = valueEnd;
    return true;
  }

  /** The value of the last field ends at `valueEnd`. */
  extendLast(valueEnd: number): void {
    this.offsets[this.count * wordsPerField - 1] = valueEnd;
  }

  /** Leaves out field `index`; those after it keep their order. */
  remove(index: number): void {
    this.ids.copyWithin(index, index + 1, this.count);
    this.offsets.copyWithin(index * wordsPerField, (index + 1) * wordsPerField, this.count * wordsPerField);
    this.count--;
  }

  /** The same fields, after their bytes moved by `-distance` into another buffer. */
  rebase(bytes: Buffer, distance: number): void {
    this.bytes = bytes;
    for (let at = 0; at < this.count * wordsPerField; at++) this.offsets[at]! -= distance;
  }

  nameStart(index: number): number {
    return this.offsets[index * wordsPerField]!;
  }

  nameEnd(index: number): number {
    return this.offsets[index * wordsPerField + 1]!;
  }

  valueStart(index: number): number {
    return this.offsets[index * wordsPerField + 2]!;
  }

  valueEnd(index: number): number {
    return this.offsets[index * wordsPerField + 3]!;
  }

  /** Whether field `index` stands in the bytes just as we would write it: `name: value CRLF`. */
  isCanonical(index: number): boolean {
    const at = index * wordsPerField;
    const { bytes, offsets } = this;
    const nameEnd = offsets[at + 1]!;
    return offsets[at + 2] === nameEnd + 2 && bytes[nameEnd + 1] === SP && bytes[offsets[at + 3]!] === CR;
  }

  name(index: number): string {
    return this.bytes.toString('latin1', this.nameStart(index), this.nameEnd(index));
  }

  value(index: number): string {
    return this.bytes.toString('latin1', this.valueStart(index), this.valueEnd(index));
  }

  isValue(index: number, text: string): boolean {
    const start = this.valueStart(index);
    if (this.valueEnd(index) - start !== text.length) return false;
    for (let at = 0; at < text.length; at++) if (this.bytes[start + at] !== text.charCodeAt(at)) return false;
    return true;
  }

  /** The index of the first field of this kind, -1 without one. */
  indexOf(id: FieldId): number {
    for (let index = 0; index < this.count; index++) if (this.ids[index] === id) return index;
    return -1;
  }

  /**
   * The value of a field by its lower-case name; several lines are joined with a comma (RFC 9110 5.2), of cookies with a
   * semicolon (RFC 9113 8.2.3 says so, and nothing else makes sense). Undefined when the message has none.
   */
  combined(name: string): string | undefined {
    const separator = name === 'cookie' ? '; ' : ', ';
    let found: string | undefined;
    for (let index = 0; index < this.count; index++) {
      if (!nameIs(this.bytes, this.nameStart(index), this.nameEnd(index), name)) continue;
      found = found === undefined ? this.value(index) : `${found}${separator}${this.value(index)}`;
    }
    return found;
  }

  /** Whether field `index` is an unknown one that `names`, in lower case, contain. */
  isNamed(index: number, names: readonly string[]): boolean {
    if (this.ids[index] !== Field.Other) return false;
    for (const name of names)
      if (nameIs(this.bytes, this.nameStart(index), this.nameEnd(index), name)) return true;
    return false;
  }
}

/** The fields with bytes of their own. */
export function copySection(section: FieldSection): FieldSection {
  const { count } = section;
  const copy = new FieldSection(count);
  if (count === 0) return copy;
  for (let index = 0; index < count; index++)
    copy.add(
      section.ids[index]! as FieldId,
      section.nameStart(index),
      section.nameEnd(index),
      section.valueStart(index),
      section.valueEnd(index),
    );
  // They stand in their order, with a line's end after each; the buffer around them may be many times as large.
  const start = section.nameStart(0);
  const end = section.valueEnd(count - 1) + 2;
  copy.rebase(Buffer.from(section.bytes.subarray(start, end)), start);
  return copy;
}
