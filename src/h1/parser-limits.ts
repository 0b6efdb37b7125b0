// What a peer may make a parser hold or read before it is refused.

export interface ParserLimits {
  /** From the first byte of the start line to the end of the empty line. */
  readonly headBytes: number;
  /** Of one message, trailers included. */
  readonly fields: number;
  readonly targetBytes: number;
  /** Of all chunks of one body together. */
  readonly chunkExtensionBytes: number;
  readonly trailerBytes: number;
}

export const defaultParserLimits: ParserLimits = {
  headBytes: 65_536,
  fields: 100,
  targetBytes: 16_384,
  chunkExtensionBytes: 4096,
  trailerBytes: 8192,
};
