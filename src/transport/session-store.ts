// Sessions of TLS with the servers of one upstream: the last of each, for as long as its certificate may stay unseen.

/** A certificate that expires, or is taken back, is noticed after this long. */
const keptMs = 300_000;
/** A session takes some 2 KB, with the server's certificate. */
const mostServers = 256;

export interface Kept {
  readonly session: Buffer;
  /** When the server was last verified by its certificate: sessions follow from sessions without it. */
  readonly verifiedMs: number;
}

export class SessionStore {
  /** The one that was kept longest ago first. */
  readonly #kept = new Map<string, Kept>();

  get(server: string, nowMs: number): Kept | undefined {
    const kept = this.#kept.get(server);
    if (kept === undefined || nowMs - kept.verifiedMs <= keptMs) return kept;
    this.#kept.delete(server);
    return undefined;
  }

  set(server: string, kept: Kept): void {
    this.#kept.delete(server);
    const { value: oldest } = this.#kept.keys().next();
    if (oldest !== undefined && this.#kept.size >= mostServers) this.#kept.delete(oldest);
    this.#kept.set(server, kept);
  }
}
