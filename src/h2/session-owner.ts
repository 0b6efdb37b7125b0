// What a session asks of whoever has its connection.
import type { ErrorCode } from './error-code.ts';

/** Whoever has the socket of a session. */
export interface SessionOwner {
  readonly now: () => number;
  /** Something waits in the writer: it is to be sent when this turn is over. */
  onOutput(): void;
  /** The writer is full: it is to be sent now. False: the socket takes no more until resumeOutput. */
  sendOutput(): boolean;
  /** A stream of the peer's or ours has been reset by us. */
  onStreamReset(code: ErrorCode): void;
  /** A GOAWAY says why, and waits in the writer; all streams have been told. */
  onSessionFailed(code: ErrorCode): void;
  /** The peer begins no new streams, or takes none above `lastStreamId`. */
  onGoAway(lastStreamId: number, code: number): void;
  /** The last stream has ended. */
  onQuiet(): void;
}
