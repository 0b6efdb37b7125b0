// What a probe asks of a side: its pools, and what may differ from the defaults.

/** Of kept connections of clients, for all sides. */
export const clientIdleSeconds = 300;

/** Host -> ports of its endpoints. */
export type Pools = Readonly<Record<string, readonly number[]>>;

export interface Plan {
  readonly pools: Pools;
  /** To the head of the response. */
  readonly answerMs?: number;
  /** Of a body in which nothing moves. */
  readonly idleMs?: number;
  readonly workers?: number;
  /** What `ulimit -n` says. */
  readonly descriptorLimit?: number;
  /** Below which a request body is refused, where there is such a setting. */
  readonly bodyBytesPerSecond?: number;
}
