// What a worker does without when memory is short.

export const MemoryLevel = {
  None: 0,
  /** Responses end their connections. */
  Ending: 1,
  /** And requests that are new get 503, but for a worker's only one; idle connections are ended. */
  Refusing: 2,
  /** And so are new connections, and the streams that hold most are reset. */
  Shedding: 3,
} as const;
export type MemoryLevel = (typeof MemoryLevel)[keyof typeof MemoryLevel];
