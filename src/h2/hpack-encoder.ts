// Fields -> HPACK (RFC 7541 6), written where the frame is.
//
// A field goes into the table when it comes a second time: what is different in every message, such as a request id, would
// only push out what comes again. Credentials never go there (RFC 7541 7.1.3).
import { tokenLower } from '#http/characters.ts';
import { nameIs } from '#http/field.ts';
import { DynamicTable, tableBytes } from './dynamic-table.ts';
import type { FrameWriter } from './frame-writer.ts';
import { encodeHuffman, huffmanLength } from './huffman.ts';
import { staticCount, staticFields, staticNameIndex } from './static-table.ts';

/** Fields of late, by what they hash to. */
const recentFields = 128;
/** A larger field would push out too many others. */
const mostIndexedBytes = 1024;

const asIs = Uint8Array.from({ length: 256 }, (_, byte) => byte);
/** Names are tokens; a byte that is none stays as it is. */
const toLower = Uint8Array.from({ length: 256 }, (_, byte) => tokenLower[byte]! || byte);

const secrets: readonly string[] = ['authorization', 'cookie', 'set-cookie', 'proxy-authorization'];
/** Different in nearly every message. */
const unique: readonly string[] = ['content-length', 'etag', 'last-modified', 'location'];
/** As those, but not in the static table. */
const requestIdName = 'x-request-id';

const Kind = { Usual: 0, Secret: 1, Unique: 2 } as const;

/** By index of the static table. */
const kindOfStatic = Uint8Array.from(staticFields, (field) => kindOfName(field?.name ?? ''));

function kindOfName(name: string): number {
  if (secrets.includes(name)) return Kind.Secret;
  return unique.includes(name) ? Kind.Unique : Kind.Usual;
}

const scratch = Buffer.allocUnsafeSlow(mostIndexedBytes + 8);

const Representation = { Indexing: 0x40, Plain: 0x00, Never: 0x10 } as const;

export class HpackEncoder {
  readonly #table = new DynamicTable();
  /** By the low bits of a hash: the number of an entry, plus one. */
  #numbers: Int32Array | undefined = undefined;
  #recent: Int32Array | undefined = undefined;
  /** The table is to have this size from the next block on; below zero: as it is. */
  #newSize = -1;
  #smallestSize = tableBytes;

  /** The peer takes a table of this size (SETTINGS_HEADER_TABLE_SIZE). */
  limitTable(bytes: number): void {
    const size = Math.min(bytes, tableBytes);
    if (size === this.#table.maxSize && this.#newSize < 0) return;
    // A table that was smaller in between has been emptied by it, and the peer has to hear of that (RFC 7541 4.2).
    this.#smallestSize = this.#newSize < 0 ? size : Math.min(this.#smallestSize, size);
    this.#newSize = size;
  }

  /** Before the first field of each block. */
  begin(writer: FrameWriter): void {
    if (this.#newSize < 0) return;
    writer.reserve(12);
    if (this.#smallestSize < this.#newSize) {
      this.#table.resize(this.#smallestSize);
      writeInteger(writer, 0x20, 0x1f, this.#smallestSize);
    }
    this.#table.resize(this.#newSize);
    writeInteger(writer, 0x20, 0x1f, this.#newSize);
    this.#newSize = -1;
  }

  status(writer: FrameWriter, status: number): void {
    writer.reserve(8);
    const index = indexOfStatus(status);
    if (index > 0) writer.byte(0x80 | index);
    else {
      writer.byte(8);
      writer.byte(3);
      writer.byte(48 + Math.floor(status / 100));
      writer.byte(48 + (Math.floor(status / 10) % 10));
      writer.byte(48 + (status % 10));
    }
  }

  /** A pseudo-field of a request by the index of its name; `bytes[start, end)` is the value. */
  pseudo(writer: FrameWriter, nameIndex: number, bytes: Buffer, start: number, end: number): void {
    const whole = wholePseudo(nameIndex, bytes, start, end);
    writer.reserve(end - start + 16);
    if (whole > 0) writer.byte(0x80 | whole);
    else {
      writeInteger(writer, Representation.Plain, 0x0f, nameIndex);
      writeString(writer, bytes, start, end, asIs);
    }
  }

  /** The field with the name `bytes[nameStart, nameEnd)`, in any case, and the value `bytes[valueStart, valueEnd)`. */
  field(
    writer: FrameWriter,
    bytes: Buffer,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const nameBytes = nameEnd - nameStart;
    const valueBytes = valueEnd - valueStart;
    writer.reserve(nameBytes + valueBytes + 24);
    const nameIndex = staticNameIndex(bytes, nameStart, nameEnd);
    const kind = nameIndex > 0 ? kindOfStatic[nameIndex]! : kindOfOther(bytes, nameStart, nameEnd);
    if (kind === Kind.Secret) {
      writeLiteral(writer, Representation.Never, nameIndex, bytes, nameStart, nameEnd, valueStart, valueEnd);
      return;
    }
    if (kind === Kind.Unique || nameBytes + valueBytes > mostIndexedBytes - 4) {
      writeLiteral(writer, Representation.Plain, nameIndex, bytes, nameStart, nameEnd, valueStart, valueEnd);
      return;
    }
    const hash = hashOf(bytes, nameStart, nameEnd, valueStart, valueEnd);
    const slot = hash & (recentFields - 1);
    const number = this.#numbers === undefined ? -1 : this.#numbers[slot]! - 1;
    if (this.#isEntry(number, bytes, nameStart, nameEnd, valueStart, valueEnd)) {
      writeInteger(writer, 0x80, 0x7f, staticCount + this.#table.inserted - number);
      return;
    }
    const isNew = !this.#isRecent(hash, slot);
    if (isNew || this.#table.maxSize === 0) {
      writeLiteral(writer, Representation.Plain, nameIndex, bytes, nameStart, nameEnd, valueStart, valueEnd);
      return;
    }
    writeLiteral(writer, Representation.Indexing, nameIndex, bytes, nameStart, nameEnd, valueStart, valueEnd);
    this.#insert(slot, bytes, nameStart, nameEnd, valueStart, valueEnd);
  }

  #isEntry(
    number: number,
    bytes: Buffer,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    const table = this.#table;
    if (number < 0 || !table.has(number)) return false;
    const nameBytes = nameEnd - nameStart;
    const valueBytes = valueEnd - valueStart;
    if (table.nameBytes(number) !== nameBytes || table.valueBytes(number) !== valueBytes) return false;
    const start = table.start(number);
    for (let at = 0; at < nameBytes; at++)
      if (table.bytes[start + at] !== toLower[bytes[nameStart + at]!]) return false;
    const value = start + nameBytes + 2;
    for (let at = 0; at < valueBytes; at++)
      if (table.bytes[value + at] !== bytes[valueStart + at]) return false;
    return true;
  }

  /** Whether such a field came lately; from now on it did. */
  #isRecent(hash: number, slot: number): boolean {
    this.#recent ??= new Int32Array(recentFields);
    const isRecent = this.#recent[slot] === hash;
    this.#recent[slot] = hash;
    return isRecent;
  }

  #insert(
    slot: number,
    bytes: Buffer,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const nameBytes = nameEnd - nameStart;
    for (let at = 0; at < nameBytes; at++) scratch[at] = toLower[bytes[nameStart + at]!]!;
    bytes.copy(scratch, nameBytes + 2, valueStart, valueEnd);
    if (!this.#table.add(scratch, 0, nameBytes, valueEnd - valueStart, 0)) return;
    this.#numbers ??= new Int32Array(recentFields);
    this.#numbers[slot] = this.#table.inserted;
  }
}

/** Statuses that the static table has. */
function indexOfStatus(status: number): number {
  switch (status) {
    case 200:
      return 8;
    case 204:
      return 9;
    case 206:
      return 10;
    case 304:
      return 11;
    case 400:
      return 12;
    case 404:
      return 13;
    case 500:
      return 14;
    default:
      return 0;
  }
}

/** The index of a pseudo-field with this very value; names with two values have them side by side. */
function wholePseudo(nameIndex: number, bytes: Buffer, start: number, end: number): number {
  for (let index = nameIndex; index < nameIndex + 2; index++) {
    const field = staticFields[index]!;
    if (field.name !== staticFields[nameIndex]!.name || field.value.length !== end - start) continue;
    let at = 0;
    while (at < end - start && bytes[start + at] === field.value.charCodeAt(at)) at++;
    if (at === end - start && at > 0) return index;
  }
  return 0;
}

/** Of a name that the static table has not. */
function kindOfOther(bytes: Buffer, start: number, end: number): number {
  return nameIs(bytes, start, end, requestIdName) ? Kind.Unique : Kind.Usual;
}

function hashOf(
  bytes: Buffer,
  nameStart: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = nameStart; at < nameEnd; at++) hash = Math.imul(hash ^ toLower[bytes[at]!]!, 0x01000193);
  hash = Math.imul(hash ^ 0x3a, 0x01000193);
  for (let at = valueStart; at < valueEnd; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

function writeLiteral(
  writer: FrameWriter,
  representation: number,
  nameIndex: number,
  bytes: Buffer,
  nameStart: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
): void {
  const prefix = representation === Representation.Indexing ? 0x3f : 0x0f;
  writeInteger(writer, representation, prefix, nameIndex);
  if (nameIndex === 0) writeString(writer, bytes, nameStart, nameEnd, toLower);
  writeString(writer, bytes, valueStart, valueEnd, asIs);
}

function writeInteger(writer: FrameWriter, first: number, prefix: number, value: number): void {
  if (value < prefix) {
    writer.byte(first | value);
    return;
  }
  writer.byte(first | prefix);
  let rest = value - prefix;
  while (rest >= 128) {
    writer.byte((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  writer.byte(rest);
}

function writeString(writer: FrameWriter, bytes: Buffer, start: number, end: number, map: Uint8Array): void {
  const length = huffmanLength(bytes, start, end, map);
  if (length < end - start) {
    writeInteger(writer, 0x80, 0x7f, length);
    writer.size = encodeHuffman(bytes, start, end, map, writer.bytes, writer.size);
    return;
  }
  writeInteger(writer, 0, 0x7f, end - start);
  for (let at = start; at < end; at++) writer.bytes[writer.size++] = map[bytes[at]!]!;
}
