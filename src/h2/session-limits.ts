// What a peer may make a connection of HTTP/2 hold.
export interface SessionLimits {
  /** Of a field section, decoded. */
  readonly headBytes: number;
  /** Of a field section, decoded; crumbs of a cookie count each. */
  readonly fields: number;
  readonly targetBytes: number;
  /** Streams that a client may have open at a time. */
  readonly concurrentStreams: number;
}

/** What a peer may send of one stream before it is passed on. */
export const streamWindow = 262_144;
/** And a client of all its streams together. */
export const clientConnectionWindow = 1_048_576;
/**
 * A backend of all streams together: as good as none. Those of many clients share the connection, and one that reads slowly
 * must not hold up the others; what each can hold is bounded by its own window.
 */
export const backendConnectionWindow = 1_073_741_824;
/** CONTINUATION frames of one field section. */
export const mostContinuations = 8;
/** In one frame: each may change the window of every stream. */
export const mostSettings = 32;
/** Bodies that wait for the windows of a peer; above it, no more is read for its streams. */
export const mostQueuedBytes = 4_194_304;
/** One write holds no more. */
export const flushBytes = 131_072;

/** Resets of streams: a burst, then so many a second; less than this hurts browsers. */
export const resetBudget = { burst: 1000, perSecond: 33 } as const;
/** Frames that carry nothing: a burst, then so many a second, and more for each frame that does. */
export const controlBudget = { burst: 100, perSecond: 20, most: 10_000 } as const;
