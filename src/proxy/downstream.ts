// The client's side of an exchange, whatever protocol the client speaks.
import type { Fault, FaultCode } from '#http/fault.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import type { Forwarding } from './forwarding.ts';

export interface Downstream {
  readonly peerAddress: string;
  /** The client has sent its request to the last byte. */
  readonly isRequestComplete: boolean;
  /** More is waiting to be read by the client than the high-water mark. */
  readonly isBlocked: boolean;
  /** Where this request comes from. */
  forwardingOf(head: RequestHead): Forwarding;
  sendInterim(head: ResponseHead): void;
  sendHead(head: ResponseHead): void;
  sendBody(bytes: Buffer, start: number, end: number): void;
  /** The response is complete. */
  sendEnd(): void;
  /** A whole response of our own. `code` is undefined for one that is no fault. */
  sendLocal(status: number, code: FaultCode | undefined, fault: Fault | undefined, requestId: string): void;
  /** Takes back a response of which no byte has left; false when it is too late. */
  discard(): boolean;
  /** Ends the connection or stream so that the response cannot be taken for complete. */
  abort(): void;
  /** Sends what is waiting. False: the exchange's onDownstreamDrain will follow. */
  flush(): boolean;
  /** The exchange can take request bytes again. */
  resumeRequest(): void;
  /** The exchange is over, whichever way. */
  onExchangeEnd(): void;
}
