// Memory that all threads read: texts by keys, written once by the main thread, parsed by whoever needs one.
//
//   slab: [length of key | length of text | key | text] [...] [...] | free
//
// 10,000 routes as values in every thread took 500 MB. As texts that all threads share they take 12: in few large pieces
// of memory, since a piece for each chunk would leave gaps between what comes and goes while they are made.
import { mostBytes, writeText } from '#model/text-numbers.ts';
import type { TextBytes } from '#model/text-numbers.ts';

export interface Entry {
  readonly key: string;
  readonly text: string;
}

/** Entries that stand side by side in one slab. */
export interface SlabRange {
  readonly slab: number;
  readonly start: number;
  readonly end: number;
}

/** Where one entry stands, as one number: its slab times this, plus its first byte. No slab is 0, and so is no place. */
const largestSlab = 2 ** 26;
export const nowhere = 0;

const lengthBytes = 4;
const headerBytes = 2 * lengthBytes;

export class SlabReader {
  readonly #slabs = new Map<number, Buffer>();

  add(slab: number, memory: SharedArrayBuffer): void {
    this.#slabs.set(slab, Buffer.from(memory));
  }

  delete(slab: number): void {
    this.#slabs.delete(slab);
  }

  /** `key` is the same object every time: a whole table is read without an object for each of its keys. */
  each({ slab, start, end }: SlabRange, visit: (place: number, key: TextBytes) => void): void {
    const bytes = this.#bytesOf(slab);
    const key = { bytes, start: 0, end: 0 };
    for (let at = start; at < end;) {
      key.start = at + headerBytes;
      key.end = key.start + bytes.readUInt32LE(at);
      visit(slab * largestSlab + at, key);
      at = key.end + bytes.readUInt32LE(at + lengthBytes);
    }
  }

  textAt(place: number): string {
    const at = place % largestSlab;
    const bytes = this.#bytesOf((place - at) / largestSlab);
    const start = at + headerBytes + bytes.readUInt32LE(at);
    return bytes.toString('utf8', start, start + bytes.readUInt32LE(at + lengthBytes));
  }

  #bytesOf(slab: number): Buffer {
    const bytes = this.#slabs.get(slab);
    if (bytes === undefined) throw new Error(`there is no slab ${slab}`);
    return bytes;
  }
}

interface Slab {
  readonly memory: SharedArrayBuffer;
  readonly bytes: Buffer;
  end: number;
  wastedBytes: number;
}

const slabBytes = 1_048_576;

/** The main thread's side. What is written is never changed: threads that know nothing of each other's pace read it. */
export class SlabWriter {
  /** Of what is written here. */
  readonly reader = new SlabReader();
  readonly #slabs = new Map<number, Slab>();
  #last = 0;
  #scratch = Buffer.allocUnsafe(65_536);

  /** By number: those with something in them. */
  get memories(): ReadonlyMap<number, SharedArrayBuffer> {
    return new Map([...this.#slabs].map(([slab, { memory }]) => [slab, memory]));
  }

  write(entries: readonly Entry[]): SlabRange {
    const most = entries.reduce(
      (sum, { key, text }) => sum + headerBytes + mostBytes(key) + Buffer.byteLength(text),
      0,
    );
    if (most > this.#scratch.length) this.#scratch = Buffer.allocUnsafe(most);
    const bytes = this.#scratch;
    let end = 0;
    for (const { key, text } of entries) {
      const keyStart = end + headerBytes;
      const textStart = writeText(key, bytes, keyStart);
      bytes.writeUInt32LE(textStart - keyStart, end);
      bytes.writeUInt32LE(bytes.write(text, textStart), end + lengthBytes);
      end = textStart + bytes.readUInt32LE(end + lengthBytes);
    }
    return this.#put(bytes.subarray(0, end));
  }

  /** Nobody is told of it any more. */
  release({ slab, start, end }: SlabRange): void {
    const of = this.#slabs.get(slab);
    if (of === undefined) return;
    of.wastedBytes += end - start;
    if (slab !== this.#last && of.wastedBytes === of.end) this.#delete(slab);
  }

  /** More than half of it is waste: what is left had better stand elsewhere. */
  isSparse(slab: number): boolean {
    const of = this.#slabs.get(slab);
    return of !== undefined && slab !== this.#last && of.wastedBytes * 2 > of.end;
  }

  /** The same entries in another slab. */
  move(range: SlabRange): SlabRange {
    const bytes = this.#slabs.get(range.slab)?.bytes.subarray(range.start, range.end);
    if (bytes === undefined) throw new Error(`there is no slab ${range.slab}`);
    const moved = this.#put(bytes);
    this.release(range);
    return moved;
  }

  #put(bytes: Buffer): SlabRange {
    let slab = this.#slabs.get(this.#last);
    if (slab === undefined || slab.end + bytes.length > slab.bytes.length) {
      const memory = new SharedArrayBuffer(Math.max(slabBytes, bytes.length));
      if (memory.byteLength > largestSlab) throw new RangeError(`a slab of ${memory.byteLength} bytes`);
      if (slab?.wastedBytes === slab?.end) this.#delete(this.#last);
      slab = { memory, bytes: Buffer.from(memory), end: 0, wastedBytes: 0 };
      this.#slabs.set(++this.#last, slab);
      this.reader.add(this.#last, memory);
    }
    const start = slab.end;
    slab.bytes.set(bytes, start);
    slab.end += bytes.length;
    return { slab: this.#last, start, end: slab.end };
  }

  #delete(slab: number): void {
    this.#slabs.delete(slab);
    this.reader.delete(slab);
  }
}
