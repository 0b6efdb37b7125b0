// The streams that have ended lately: what still comes for one is late, ignored, or an error, depending on how it ended.

const remembered = 512;

export type StreamEnd =
  /** Both sides ended it: whatever comes now should not. */
  | 'Ended'
  /** We reset it: what the peer sent before it knew is on its way. */
  | 'Reset'
  /** Too long ago, or never there. */
  | 'Unknown';

export class ClosedStreams {
  #ids: Int32Array | undefined = undefined;
  #isReset: Uint8Array | undefined = undefined;

  add(id: number, isReset: boolean): void {
    this.#ids ??= new Int32Array(remembered);
    this.#isReset ??= new Uint8Array(remembered);
    const slot = (id >>> 1) % remembered;
    this.#ids[slot] = id;
    this.#isReset[slot] = isReset ? 1 : 0;
  }

  endOf(id: number): StreamEnd {
    const slot = (id >>> 1) % remembered;
    if (this.#ids?.[slot] !== id) return 'Unknown';
    return this.#isReset![slot] === 1 ? 'Reset' : 'Ended';
  }
}
