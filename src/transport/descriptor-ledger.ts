// The descriptors that a thread holds, in memory that outlives it: whoever ends a thread can close what it has left.
//
// A bit for each. It is set after the descriptor is opened and cleared before it is closed: a thread that ends in between
// leaves one open, but nobody ever closes one that is somebody else's by now.

/** Above it nothing is noted; a process has as many only where it may open a million. */
const mostDescriptors = 1_048_576;

/** 128 KiB, of which the system gives what is written to. */
export function newDescriptorMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(mostDescriptors / 8);
}

export class DescriptorLedger {
  #words: Int32Array;

  constructor(memory: SharedArrayBuffer = newDescriptorMemory()) {
    this.#words = new Int32Array(memory);
  }

  /** Goes on in memory that somebody else can read. */
  moveTo(memory: SharedArrayBuffer): void {
    const words = new Int32Array(memory);
    words.set(this.#words);
    this.#words = words;
  }

  add(fd: number): void {
    if (fd < mostDescriptors) this.#words[fd >> 5]! |= 1 << (fd & 31);
  }

  delete(fd: number): void {
    if (fd < mostDescriptors) this.#words[fd >> 5]! &= ~(1 << (fd & 31));
  }

  /** Those that are noted, which are forgotten with this. */
  takeAll(): number[] {
    const found: number[] = [];
    this.#words.forEach((bits, word) => {
      if (bits === 0) return;
      for (let bit = 0; bit < 32; bit++) if ((bits & (1 << bit)) !== 0) found.push(word * 32 + bit);
      this.#words[word] = 0;
    });
    return found;
  }
}
