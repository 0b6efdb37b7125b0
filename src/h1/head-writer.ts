// Parsed fields -> the bytes of a head. Every byte of a start line and every separator is written here; only names
// and values that passed the strict parser are copied (rule: never forward a head that was not re-serialised).
import type { FieldSection } from '#http/field-section.ts';

const initialBytes = 8192;

/** Below it a loop is cheaper than a call into the runtime: 12 characters 28 against 36 ns, 48 characters 125 against 81. */
const loopCharacters = 32;
/** The same for bytes: 24 bytes 33 against 46 ns, 48 bytes 56 against 45. */
const loopBytes = 36;

/** A scratch buffer for one head at a time; a worker needs one. */
export class HeadWriter {
  #bytes: Buffer = Buffer.allocUnsafe(initialBytes);
  #size = 0;
  /** Gathered fields that have not been copied yet. */
  #runStart = 0;
  #runLength = 0;

  begin(): void {
    this.#size = 0;
    this.#runLength = 0;
  }

  /** Text that we made ourselves or parsed strictly: Latin-1, without CR and LF unless it ends a line. */
  text(text: string): void {
    this.#reserve(text.length);
    if (text.length > loopCharacters) {
      this.#size += this.#bytes.write(text, this.#size, 'latin1');
      return;
    }
    const bytes = this.#bytes;
    let size = this.#size;
    for (let at = 0; at < text.length; at++) bytes[size++] = text.charCodeAt(at);
    this.#size = size;
  }

  /** The body of a short response, after its head. */
  utf8(text: string): void {
    this.#reserve(Buffer.byteLength(text));
    this.#size += this.#bytes.write(text, this.#size, 'utf8');
  }

  field(name: string, value: string): void {
    this.text(name);
    this.text(': ');
    this.text(value);
    this.text('\r\n');
  }

  /**
   * As copyField, but fields that follow each other and stand in the bytes as we would write them are copied together:
   * half the cost of a browser's head. endFields comes after the last one.
   */
  gatherField(fields: FieldSection, index: number): void {
    const isCanonical = fields.isCanonical(index);
    if (this.#runLength > 0 && (!isCanonical || index !== this.#runStart + this.#runLength))
      this.endFields(fields);
    if (!isCanonical) this.copyField(fields, index);
    else if (this.#runLength++ === 0) this.#runStart = index;
  }

  endFields(fields: FieldSection): void {
    if (this.#runLength === 0) return;
    const last = this.#runStart + this.#runLength - 1;
    this.#runLength = 0;
    this.#copy(fields.bytes, fields.nameStart(this.#runStart), fields.valueEnd(last) + 2);
  }

  copyField(fields: FieldSection, index: number): void {
    this.#copy(fields.bytes, fields.nameStart(index), fields.nameEnd(index));
    this.text(': ');
    this.#copy(fields.bytes, fields.valueStart(index), fields.valueEnd(index));
    this.text('\r\n');
  }

  /** The head is `bytes[0, size)`, until the next one begins. */
  end(): void {
    this.text('\r\n');
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get size(): number {
    return this.#size;
  }

  #copy(source: Buffer, start: number, end: number): void {
    this.#reserve(end - start);
    if (end - start > loopBytes) {
      this.#size += source.copy(this.#bytes, this.#size, start, end);
      return;
    }
    const bytes = this.#bytes;
    let size = this.#size;
    for (let at = start; at < end; at++) bytes[size++] = source[at]!;
    this.#size = size;
  }

  #reserve(more: number): void {
    if (this.#size + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#size + more));
    this.#bytes.copy(larger, 0, 0, this.#size);
    this.#bytes = larger;
  }
}
