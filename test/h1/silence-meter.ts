// Checks that a parser never takes more bytes without a word than its limits allow: what it may hold is bounded so.
import assert from 'node:assert/strict';
import type { ParserLimits } from '#h1/parser-limits.ts';

/** Chunk sizes and line ends between two pieces of content, around the extensions and trailers that have limits. */
const framingBytes = 64;

export class SilenceMeter {
  readonly #mostBytes: number;
  #silentBytes = 0;
  #hasEvent = false;

  constructor(limits: ParserLimits) {
    this.#mostBytes = Math.max(
      limits.headBytes,
      limits.chunkExtensionBytes + limits.trailerBytes + framingBytes,
    );
  }

  onEvent(): void {
    this.#hasEvent = true;
  }

  /** After each push that took `count` bytes. Bytes that came with an event in the same push are not told apart. */
  onBytes(count: number): void {
    this.#silentBytes = this.#hasEvent ? 0 : this.#silentBytes + count;
    this.#hasEvent = false;
  }

  check(): void {
    assert(this.#silentBytes <= this.#mostBytes, `${this.#silentBytes} bytes taken and no event`);
  }
}
