// The fields that one direction of a connection has seen lately (RFC 7541 2.3.2), each as the line that HTTP/1 would write.
//
// The lines stand one after the other in one buffer, oldest first, so that nothing is made for an entry; when its end is
// reached, what is left moves to its beginning. Entries are numbered for ever: the newest one is `inserted - 1`.

/** What we let a peer use, and use ourselves: as everybody does unless told otherwise. */
export const tableBytes = 4096;
/** What an entry counts beside its name and value (RFC 7541 4.1). */
const entryOverhead = 32;
const mostEntries = tableBytes / entryOverhead;
/** `: ` and CR LF. */
const lineOverhead = 4;
/** Twice what all lines can take, so that a move is rare. */
const mostBytes = 2 * (tableBytes + mostEntries * lineOverhead);
const firstBytes = 1024;
const nothing = Buffer.alloc(0);

export class DynamicTable {
  bytes: Buffer = nothing;
  /** How many there have ever been. */
  inserted = 0;
  #count = 0;
  #size = 0;
  #maxSize = tableBytes;
  #end = 0;
  /** By number modulo mostEntries; made with the first entry. */
  #starts: Int32Array | undefined = undefined;
  #nameBytes: Int32Array | undefined = undefined;
  #valueBytes: Int32Array | undefined = undefined;
  #marks: Uint8Array | undefined = undefined;

  get count(): number {
    return this.#count;
  }

  get maxSize(): number {
    return this.#maxSize;
  }

  /** At most tableBytes. */
  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evict(maxSize);
  }

  /** Whether entry `number` is still there. */
  has(number: number): boolean {
    return number >= this.inserted - this.#count && number < this.inserted;
  }

  start(number: number): number {
    return this.#starts![number % mostEntries]!;
  }

  nameBytes(number: number): number {
    return this.#nameBytes![number % mostEntries]!;
  }

  valueBytes(number: number): number {
    return this.#valueBytes![number % mostEntries]!;
  }

  /** What whoever added it wanted to know about it. */
  mark(number: number): number {
    return this.#marks![number % mostEntries]!;
  }

  /** Adds the line at `source[at]`; false when it is larger than the whole table, which empties it (RFC 7541 4.4). */
  add(source: Buffer, at: number, nameBytes: number, valueBytes: number, mark: number): boolean {
    const size = nameBytes + valueBytes + entryOverhead;
    if (size > this.#maxSize) {
      this.#evict(0);
      return false;
    }
    this.#evict(this.#maxSize - size);
    const lineBytes = nameBytes + valueBytes + lineOverhead;
    this.#makeRoom(lineBytes);
    const slot = this.inserted++ % mostEntries;
    this.#starts![slot] = this.#end;
    this.#nameBytes![slot] = nameBytes;
    this.#valueBytes![slot] = valueBytes;
    this.#marks![slot] = mark;
    source.copy(this.bytes, this.#end, at, at + lineBytes);
    this.#end += lineBytes;
    this.#size += size;
    this.#count++;
    return true;
  }

  #evict(maxSize: number): void {
    while (this.#size > maxSize) {
      const oldest = this.inserted - this.#count;
      this.#size -= this.nameBytes(oldest) + this.valueBytes(oldest) + entryOverhead;
      this.#count--;
    }
    if (this.#count === 0) this.#end = 0;
  }

  #makeRoom(lineBytes: number): void {
    if (this.#starts === undefined) {
      this.#starts = new Int32Array(mostEntries);
      this.#nameBytes = new Int32Array(mostEntries);
      this.#valueBytes = new Int32Array(mostEntries);
      this.#marks = new Uint8Array(mostEntries);
    }
    if (this.#end + lineBytes <= this.bytes.length) return;
    const from = this.#count === 0 ? this.#end : this.start(this.inserted - this.#count);
    const live = this.#end - from;
    const wanted = Math.min(mostBytes, Math.max(firstBytes, 2 * (live + lineBytes)));
    const room = wanted > this.bytes.length ? Buffer.allocUnsafeSlow(wanted) : this.bytes;
    this.bytes.copy(room, 0, from, this.#end);
    this.bytes = room;
    this.#end = live;
    for (let number = this.inserted - this.#count; number < this.inserted; number++)
      this.#starts[number % mostEntries]! -= from;
  }
}
