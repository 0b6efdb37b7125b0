// Small numbers for texts, so that whoever knows many keys can keep what belongs to them in arrays.
//
// A data plane with 10,000 routes knows 30,000 keys in every thread. As strings in a Map they take 8 MB a thread (Bun
// and Node alike), here 1.5: their bytes stand in one array, found by a hash table with linear probing.

const firstSlots = 64;
const firstBytes = 1024;
/** FNV-1a starts somewhere else in every process: whoever chooses keys must not be able to choose collisions. */
const seed = Math.floor(Math.random() * 2 ** 31);

/** A text as `writeText` writes it. */
export interface TextBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** The first byte of a text with characters that one byte does not hold: then each takes two. */
const wideMark = 0xff;

/** How many bytes `writeText` may take. */
export function mostBytes(text: string): number {
  return 1 + 2 * text.length;
}

/** Returns the end. No two texts give the same bytes, whatever stands in them: half a surrogate pair, say. */
export function writeText(text: string, bytes: Uint8Array, start: number): number {
  let end = start;
  let all = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    all |= code;
    bytes[end++] = code;
  }
  if (all <= 0xff && (end === start || bytes[start] !== wideMark)) return end;
  end = start;
  bytes[end++] = wideMark;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    bytes[end++] = code >> 8;
    bytes[end++] = code;
  }
  return end;
}

/** The text that `writeText` wrote. */
export function readText({ bytes, start, end }: TextBytes): string {
  if (start === end || bytes[start] !== wideMark)
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  let text = '';
  for (let index = start + 1; index < end; index += 2)
    text += String.fromCharCode((bytes[index]! << 8) | bytes[index + 1]!);
  return text;
}

export class TextNumbers {
  /** Number + 1 of the text whose hash led here; 0: free. */
  #slots = new Int32Array(firstSlots);
  // By number:
  #hashes = new Int32Array(firstSlots);
  #starts = new Int32Array(firstSlots);
  /** -1: the number is free. */
  #lengths = new Int32Array(firstSlots);
  readonly #free: number[] = [];
  /** Numbers that were ever given are below it. */
  #next = 0;
  #bytes = new Uint8Array(firstBytes);
  #end = 0;
  #wastedBytes = 0;
  #size = 0;
  readonly #scratch = { bytes: new Uint8Array(firstBytes), start: 0, end: 0 };

  get size(): number {
    return this.#size;
  }

  /** Of all texts together. */
  get bytes(): number {
    return this.#end - this.#wastedBytes;
  }

  /** Room for so many texts at once: arrays that grow leave as much behind again as they hold. */
  reserve(texts: number, bytes: number): void {
    if (this.#slots.length < texts * 2) this.#rehash(2 ** Math.ceil(Math.log2(texts * 2)));
    if (this.#lengths.length < texts) this.#widen(texts + (texts >> 3));
    if (this.#bytes.length < bytes) this.#compact(bytes - this.#end);
  }

  /** -1 for a text that has none. */
  find(text: string): number {
    return this.findBytes(this.#bytesOf(text));
  }

  /** Its number, which stays until it is deleted. */
  add(text: string): number {
    return this.addBytes(this.#bytesOf(text));
  }

  /** Its number may be given to another text. */
  delete(text: string): void {
    this.deleteBytes(this.#bytesOf(text));
  }

  findBytes(text: TextBytes): number {
    return this.#slots[this.#slotOf(text, hashOf(text))]! - 1;
  }

  addBytes(text: TextBytes): number {
    const hash = hashOf(text);
    const slot = this.#slotOf(text, hash);
    const known = this.#slots[slot]! - 1;
    if (known >= 0) return known;
    const number = this.#take();
    this.#slots[slot] = number + 1;
    this.#hashes[number] = hash;
    this.#store(number, text);
    if (this.#size * 2 > this.#slots.length) this.#rehash(this.#slots.length * 2);
    return number;
  }

  deleteBytes(text: TextBytes): void {
    const slot = this.#slotOf(text, hashOf(text));
    const number = this.#slots[slot]! - 1;
    if (number < 0) return;
    this.#size--;
    this.#wastedBytes += this.#lengths[number]!;
    this.#lengths[number] = -1;
    this.#free.push(number);
    this.#close(slot);
  }

  #bytesOf(text: string): TextBytes {
    const scratch = this.#scratch;
    if (mostBytes(text) > scratch.bytes.length) scratch.bytes = new Uint8Array(2 * mostBytes(text));
    scratch.end = writeText(text, scratch.bytes, 0);
    return scratch;
  }

  /** Where the text stands, or would stand. */
  #slotOf(text: TextBytes, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot]! - 1;
      if (number < 0 || (this.#hashes[number] === hash && this.#isText(number, text))) return slot;
    }
  }

  #isText(number: number, { bytes, start, end }: TextBytes): boolean {
    if (this.#lengths[number] !== end - start) return false;
    let own = this.#starts[number]!;
    for (let index = start; index < end; index++) if (this.#bytes[own++] !== bytes[index]) return false;
    return true;
  }

  #take(): number {
    this.#size++;
    const number = this.#free.pop() ?? this.#next++;
    if (number >= this.#lengths.length) this.#widen(number * 2);
    return number;
  }

  #widen(length: number): void {
    this.#hashes = widened(this.#hashes, length);
    this.#starts = widened(this.#starts, length);
    this.#lengths = widened(this.#lengths, length);
  }

  #store(number: number, { bytes, start, end }: TextBytes): void {
    const length = end - start;
    if (this.#end + length > this.#bytes.length) this.#compact(length);
    this.#starts[number] = this.#end;
    this.#lengths[number] = length;
    for (let index = start; index < end; index++) this.#bytes[this.#end++] = bytes[index]!;
  }

  /** Leaves out what was deleted, and makes room for more than `extra`. */
  #compact(extra: number): void {
    const used = this.bytes + extra;
    const bytes = new Uint8Array(used + (used >> 3));
    if (this.#wastedBytes === 0) {
      // As it is while a first table comes in, over and over: byte by byte this took 24 ms of a start with 1000 routes.
      bytes.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = bytes;
      return;
    }
    let end = 0;
    for (let number = 0; number < this.#next; number++) {
      const length = this.#lengths[number]!;
      if (length < 0) continue;
      const start = this.#starts[number]!;
      this.#starts[number] = end;
      for (let index = start; index < start + length; index++) bytes[end++] = this.#bytes[index]!;
    }
    this.#bytes = bytes;
    this.#end = end;
    this.#wastedBytes = 0;
  }

  /** `slots` is a power of two. */
  #rehash(slots: number): void {
    const old = this.#slots;
    this.#slots = new Int32Array(slots);
    for (const entry of old) if (entry > 0) this.#slots[this.#freeSlot(this.#hashes[entry - 1]!)] = entry;
  }

  #freeSlot(hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot]! > 0) slot = (slot + 1) & mask;
    return slot;
  }

  /** Those that stand behind an emptied slot may have been led past it: they move up, so that no search ends early. */
  #close(emptied: number): void {
    const mask = this.#slots.length - 1;
    this.#slots[emptied] = 0;
    for (let slot = (emptied + 1) & mask; this.#slots[slot]! > 0; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!;
      this.#slots[slot] = 0;
      this.#slots[this.#freeSlot(this.#hashes[entry - 1]!)] = entry;
    }
  }
}

function hashOf({ bytes, start, end }: TextBytes): number {
  let hash = seed;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  // The low bits choose the slot: all of the others must have their say in them.
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x2c1b3c6d) ^ (hash >>> 12);
}

/** As long as that, with the same beginning. */
export function widened(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(length);
  longer.set(array);
  return longer;
}
