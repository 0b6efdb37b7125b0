// What the owner of connections knows of each, whatever it is at present: a greeting, or one with requests.

/** One that counts, whatever it is at present. */
export interface OpenConnection {
  /** Nobody waits for anything of it. */
  readonly isIdle: boolean;
  readonly idleSinceMs: number;
  /** Bytes that wait in it for somebody to take them. */
  readonly heldBytes: number;
  /** The process is about to end: whoever can say so to its client does. */
  announceEnd(): void;
  /** For a drain that has run out of patience with connections that have no request under way. */
  closeWaiting(): void;
  /** Memory is short: gives up what holds at least `least` of those bytes, as little else as it can. */
  shed(least: number): void;
  /** The hard way. */
  destroy(): void;
}

/** Told when a connection is gone, or goes on as another one. */
export interface ConnectionOwner {
  /** Its peer has said by a PROXY protocol header whom it is for. False: it has been refused. */
  onConnectionIntroduced(connection: OpenConnection, address: string): boolean;
  onConnectionReplaced(before: OpenConnection, after: OpenConnection): void;
  onConnectionClosed(connection: OpenConnection): void;
}
