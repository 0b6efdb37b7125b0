// The client's side of an exchange, whatever protocol the client speaks.
import type { FieldSection } from '#http/field-section.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import type { HeaderChanges } from '#filter/header-changes.ts';
import type { Forwarding } from './forwarding.ts';
import type { Security } from './peer.ts';
import type { LocalResponse } from './local-response.ts';
import type { Tunnel } from './tunnel.ts';

export interface Downstream {
  readonly peerAddress: string;
  /** What the client speaks, for logs. */
  readonly protocol: string;
  /** Undefined without TLS. */
  readonly security: Security | undefined;
  /** The client has sent its request to the last byte. */
  readonly isRequestComplete: boolean;
  /** More is waiting to be read by the client than the high-water mark. */
  readonly isBlocked: boolean;
  /** Bytes that wait here, for the client above all. */
  readonly heldBytes: number;
  /** Where this request comes from. */
  forwardingOf(head: RequestHead): Forwarding;
  /** False: in the client's version of HTTP this final head, or 101, would say what the backend has not said. */
  accepts(head: ResponseHead): boolean;
  sendInterim(head: ResponseHead, changes: HeaderChanges | undefined): void;
  /** `changes`: what the rule does to its fields; `lines`: what comes on top of them. */
  sendHead(head: ResponseHead, changes: HeaderChanges | undefined, lines: string): void;
  sendBody(bytes: Buffer, start: number, end: number): void;
  /** The response is complete. `trailers` are read now and not kept. */
  sendEnd(trailers: FieldSection | undefined, changes: HeaderChanges | undefined): void;
  /** The 101 that the request asked for. From here on the client's bytes go to the tunnel. */
  sendSwitch(head: ResponseHead, changes: HeaderChanges | undefined, lines: string, tunnel: Tunnel): void;
  /** False: the tunnel's onClientDrain will follow. */
  sendTunnel(bytes: Buffer): boolean;
  /** Nothing more is sent through the tunnel. */
  endTunnel(): void;
  /** A whole response of our own. */
  sendLocal(response: LocalResponse, requestId: string): void;
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
