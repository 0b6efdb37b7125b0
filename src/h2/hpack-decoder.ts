// HPACK: compressed field sections of a peer -> lines of HTTP/1 (RFC 7541 6).
//
// What breaks the compression breaks the connection, since the tables of both sides would differ from here on; what makes a
// message malformed is noted in the block, and decoding goes on.
import { decodeHuffman, huffmanTooLong } from './huffman.ts';
import { DynamicTable, tableBytes } from './dynamic-table.ts';
import { isValueSound, malformedMark, markOf } from './header-block.ts';
import type { HeaderBlock } from './header-block.ts';
import { staticCount, staticFields } from './static-table.ts';

const COLON = 58;
const SP = 32;
const CR = 13;
const LF = 10;

/** Above it an integer is no length or index that anybody means. */
const mostInteger = 0x0fff_ffff;
const broken = -1;

const staticMarks = Uint8Array.from(staticFields, (field) => {
  if (field === undefined) return malformedMark;
  const name = Buffer.from(field.name, 'latin1');
  return markOf(name, 0, name.length);
});

export class HpackDecoder {
  readonly #table = new DynamicTable();
  #at = 0;
  #integer = 0;
  #hasFields = false;
  #nameBytes = 0;
  #mark = 0;
  /** The entry of the dynamic table that was looked up last; below zero: a static one. */
  #found = 0;

  /** Decodes `bytes[start, end)`, a whole block. False: the compression is broken, or the block a bomb. */
  decode(bytes: Buffer, start: number, end: number, block: HeaderBlock): boolean {
    this.#at = start;
    this.#hasFields = false;
    while (this.#at < end) {
      const byte = bytes[this.#at]!;
      if (byte >= 0x80) {
        if (!this.#takeIndexed(bytes, end, block)) return false;
        this.#hasFields = true;
      } else if (byte >= 0x40) {
        if (!this.#takeLiteral(bytes, end, block, 0x3f, true)) return false;
        this.#hasFields = true;
      } else if (byte >= 0x20) {
        // A change of size stands in front of everything (RFC 7541 4.2).
        if (this.#hasFields || !this.#readInteger(bytes, end, 0x1f) || this.#integer > tableBytes)
          return false;
        this.#table.resize(this.#integer);
      } else {
        if (!this.#takeLiteral(bytes, end, block, 0x0f, false)) return false;
        this.#hasFields = true;
      }
    }
    return true;
  }

  #takeIndexed(bytes: Buffer, end: number, block: HeaderBlock): boolean {
    if (!this.#readInteger(bytes, end, 0x7f) || !this.#find(this.#integer)) return false;
    if (block.isUseless) return true;
    const number = this.#found;
    const table = this.#table;
    if (number < 0) {
      const { line } = staticFields[-number]!;
      if (!fits(block, line.length)) return true;
      line.copy(block.bytes, block.size);
      block.take(staticMarks[-number]!, this.#nameBytes, line.length - this.#nameBytes - 4);
      return true;
    }
    const nameBytes = table.nameBytes(number);
    const valueBytes = table.valueBytes(number);
    const lineBytes = nameBytes + valueBytes + 4;
    if (!fits(block, lineBytes)) return true;
    copy(table.bytes, table.start(number), block.bytes, block.size, lineBytes);
    block.take(table.mark(number), nameBytes, valueBytes);
    return true;
  }

  /** Static entries are found as their index below zero. */
  #find(index: number): boolean {
    if (index === 0) return false;
    if (index <= staticCount) {
      this.#found = -index;
      this.#nameBytes = staticFields[index]!.name.length;
      this.#mark = staticMarks[index]!;
      return true;
    }
    const number = this.#table.inserted - (index - staticCount);
    if (!this.#table.has(number)) return false;
    this.#found = number;
    this.#nameBytes = this.#table.nameBytes(number);
    this.#mark = this.#table.mark(number);
    return true;
  }

  #takeLiteral(bytes: Buffer, end: number, block: HeaderBlock, prefix: number, isIndexing: boolean): boolean {
    if (!this.#readInteger(bytes, end, prefix)) return false;
    block.makeRoom();
    if (this.#integer === 0) {
      const nameEnd = this.#readString(bytes, end, block, block.size);
      if (nameEnd === broken) return false;
      if (nameEnd === huffmanTooLong) return this.#skipValue(bytes, end, block, isIndexing);
      this.#nameBytes = nameEnd - block.size;
      this.#mark = markOf(block.bytes, block.size, nameEnd);
    } else {
      if (!this.#find(this.#integer)) return false;
      if (!isIndexing && block.isUseless) return this.#readString(bytes, end, block, block.size) !== broken;
      block.waste(this.#nameBytes);
      if (block.isBomb) return false;
      if (this.#found < 0) staticFields[-this.#found]!.line.copy(block.bytes, block.size, 0, this.#nameBytes);
      else copy(this.#table.bytes, this.#table.start(this.#found), block.bytes, block.size, this.#nameBytes);
      // An entry is kept for its name even where its value was none.
      if (this.#mark === malformedMark)
        this.#mark = markOf(block.bytes, block.size, block.size + this.#nameBytes);
    }
    const start = block.size;
    const nameBytes = this.#nameBytes;
    const valueStart = start + nameBytes + 2;
    const valueEnd = this.#readString(bytes, end, block, valueStart);
    if (valueEnd === broken) return false;
    if (valueEnd === huffmanTooLong) {
      if (isIndexing) this.#table.add(block.bytes, 0, tableBytes, 0, 0);
      return true;
    }
    block.bytes[start + nameBytes] = COLON;
    block.bytes[start + nameBytes + 1] = SP;
    block.bytes[valueEnd] = CR;
    block.bytes[valueEnd + 1] = LF;
    const valueBytes = valueEnd - valueStart;
    const mark = isValueSound(block.bytes, valueStart, valueEnd) ? this.#mark : malformedMark;
    if (isIndexing) this.#table.add(block.bytes, start, nameBytes, valueBytes, mark);
    block.take(mark, nameBytes, valueBytes);
    return true;
  }

  /** Of a field whose name alone is more than the table could hold: the table is empty after it. */
  #skipValue(bytes: Buffer, end: number, block: HeaderBlock, isIndexing: boolean): boolean {
    const valueEnd = this.#readString(bytes, end, block, block.size);
    if (isIndexing) this.#table.add(block.bytes, 0, tableBytes, 0, 0);
    return valueEnd !== broken;
  }

  /**
   * Reads a string to `block.bytes[to]` and returns the position after it; broken, or huffmanTooLong where it has no room: then
   * the block is too large, and so would the entry be for the table.
   */
  #readString(bytes: Buffer, end: number, block: HeaderBlock, to: number): number {
    if (this.#at >= end) return broken;
    const isHuffman = bytes[this.#at]! >= 0x80;
    if (!this.#readInteger(bytes, end, 0x7f)) return broken;
    const from = this.#at;
    const stop = from + this.#integer;
    if (stop > end) return broken;
    this.#at = stop;
    // Two bytes stay for the colon and the space after a name, two for CR LF after a value.
    const limit = block.bytes.length - 4;
    const written = isHuffman
      ? decodeHuffman(bytes, from, stop, block.bytes, to, limit)
      : copyWithin(bytes, from, stop, block.bytes, to, limit);
    if (written === huffmanTooLong) block.overflow();
    return written;
  }

  /** RFC 7541 5.1, of the low bits `prefix` on; the result is in #integer. */
  #readInteger(bytes: Buffer, end: number, prefix: number): boolean {
    let value = bytes[this.#at++]! & prefix;
    if (value === prefix) {
      let shift = 1;
      for (;;) {
        if (this.#at >= end) return false;
        const byte = bytes[this.#at++]!;
        value += (byte & 0x7f) * shift;
        if (value > mostInteger) return false;
        if (byte < 0x80) break;
        shift *= 128;
        // Zeros without an end say nothing.
        if (shift > mostInteger) return false;
      }
    }
    this.#integer = value;
    return true;
  }
}

/** Whether a line has room; without it, the block is too large. */
function fits(block: HeaderBlock, lineBytes: number): boolean {
  if (lineBytes <= block.room) return true;
  block.overflow();
  return false;
}

/** Below it a loop is cheaper than a call into the runtime. */
const loopBytes = 36;

function copy(source: Buffer, start: number, target: Buffer, at: number, length: number): void {
  if (length > loopBytes) source.copy(target, at, start, start + length);
  else for (let byte = 0; byte < length; byte++) target[at + byte] = source[start + byte]!;
}

function copyWithin(
  bytes: Buffer,
  start: number,
  end: number,
  target: Buffer,
  at: number,
  limit: number,
): number {
  if (at + end - start > limit) return huffmanTooLong;
  copy(bytes, start, target, at, end - start);
  return at + end - start;
}
