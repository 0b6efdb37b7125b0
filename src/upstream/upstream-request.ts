// One request on its way to an endpoint, whatever is spoken there, and the events of its response.
import type { FaultCode } from '#http/fault.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { ResponseHead } from '#http/message-head.ts';
import type { Endpoint } from './endpoint.ts';

export interface UpstreamRequest {
  readonly endpoint: Endpoint;
  /** It may be written to. */
  readonly isOpen: boolean;
  /** Over a connection that was there before: the endpoint may have closed it meanwhile. */
  readonly isReused: boolean;
  /** A byte of the response has come: the backend has acted on the request. */
  readonly hasResponseBytes: boolean;
  /** That wait in it for the backend, or for its user. */
  readonly heldBytes: number;
  /**
   * Before anything else is written: what decides how the response is read, and how the body is framed. `isChunked`: its
   * length is not known.
   */
  begin(method: string, expectsSwitch: boolean, isChunked: boolean): void;
  /** `bytes[0, size)`: the head as HTTP/1.1 has it. They stay the caller's. */
  addHead(bytes: Buffer, size: number): void;
  /** `bytes[start, end)`, which nobody writes to any more. */
  addBody(bytes: Buffer, start: number, end: number): void;
  /** The request is complete. `trailers[0, size)`: lines, the empty one included; they stay the caller's. Size 0: none. */
  endRequest(trailers: Buffer, size: number): void;
  /** Sends what was written since the last flush. False: onUpstreamDrain will follow. */
  flush(): boolean;
  pause(): void;
  resume(): void;
  /** Ends it without a word to its user. */
  destroy(): void;
  // After a 101
  addTunnel(bytes: Buffer): void;
  /** Nothing more is sent through the tunnel. */
  endTunnel(): void;
  /** Both sides of the tunnel have ended: it closes by itself when the last bytes have left. */
  leaveTunnel(): void;
}

/** Whoever a request works for: the events of one exchange. */
export interface UpstreamUser {
  /** The request may be written now. Not called for one that is open from the start. */
  onUpstreamOpen(): void;
  onInterimHead(head: ResponseHead): void;
  onResponseHead(head: ResponseHead): void;
  onResponseBody(bytes: Buffer, start: number, end: number): void;
  /** The response is complete; the request is no longer the user's. `trailers` are valid until this returns. */
  onResponseEnd(trailers: FieldSection | undefined): void;
  /** The 101 that the request asked for. Returns who hears of the connection from here on; undefined: it has been ended. */
  onSwitch(head: ResponseHead): TunnelUser | undefined;
  /** All events of one read have been delivered: what they caused can be sent in one write. */
  onUpstreamTurnEnd(): void;
  onUpstreamDrain(): void;
  /** The last event: the connection broke, and with it the response. */
  onUpstreamFault(code: FaultCode): void;
}

/** Whoever a connection works for after a 101. */
export interface TunnelUser {
  onTunnelBytes(bytes: Buffer): void;
  onTunnelDrain(): void;
  /** The backend sends nothing more. */
  onTunnelEnd(): void;
  /** The last event: the connection broke. */
  onTunnelBroken(): void;
}
