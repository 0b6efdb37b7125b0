// What the owner of connections knows of each, whatever it is at present: a greeting, or one with requests.

/** One that counts, whatever it is at present. */
export interface OpenConnection {
  /** Nobody waits for anything of it. */
  readonly isIdle: boolean;
  readonly idleSinceMs: number;
  /** The process is about to end: whoever can say so to its client does. */
  announceEnd(): void;
  /** For a drain that has run out of patience with connections that have no request under way. */
  closeWaiting(): void;
  /** The hard way. */
  destroy(): void;
}

/** Told when a connection is gone, or goes on as another one. */
export interface ConnectionOwner {
  onConnectionReplaced(before: OpenConnection, after: OpenConnection): void;
  onConnectionClosed(connection: OpenConnection): void;
}
