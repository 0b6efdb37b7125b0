// A request as backends get it, for as long as it may have to be sent again: its head, and of its body what may be needed.
//
// The body of an idempotent request is kept while it is small; of any other one a byte that was given to a connection is lost,
// and with it the chance to ask somebody else.
import { copySection } from '#http/field-section.ts';
import type { FieldSection } from '#http/field-section.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead } from '#http/message-head.ts';
import { isIdempotent } from '#http/method.ts';
import { writeTrailers } from '#h1/chunk-writer.ts';
import type { HeadWriter } from '#h1/head-writer.ts';
import type { UpstreamRequest } from '#upstream/upstream-request.ts';
import type { Forwarding } from './forwarding.ts';
import { keepHead, releaseHead } from './head-buffers.ts';
import { writeRequestHead } from './request-head-writer.ts';
import type { RoutedRequest } from './routed-request.ts';

const mostKeptBytes = 65_536;
const noBytes = Buffer.alloc(0);

export class OutgoingRequest {
  readonly #writer: HeadWriter;
  #request: RoutedRequest | undefined = undefined;
  #head: Buffer = noBytes;
  #headSize = 0;
  #isChunked = false;
  /** Fields that the client declares to be of its connection. */
  #connectionNames: readonly string[] = [];
  /** It asks for WebSocket: its answer may be 101. */
  #asksForSwitch = false;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  /** Its body is kept, as far as it has come. */
  #isKeeping = false;
  /** Something of it was sent, and is not kept. */
  #isLost = false;
  #hasEnded = false;
  #trailers: FieldSection | undefined = undefined;

  constructor(writer: HeadWriter) {
    this.#writer = writer;
  }

  /** It can be sent from its first byte, as far as it has come. */
  get isWhole(): boolean {
    return !this.#isLost;
  }

  /** Of its body, for as long as it may have to be sent again. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** It has come to its end. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** `head` is read now and not kept. `isComplete`: nothing comes after it. */
  take(
    head: RequestHead,
    request: RoutedRequest,
    forwarding: Forwarding,
    requestId: string,
    isComplete: boolean,
  ): void {
    writeRequestHead(this.#writer, head, request, forwarding, requestId);
    this.#request = request;
    this.#headSize = this.#writer.size;
    this.#head = keepHead(this.#writer.bytes, this.#headSize);
    this.#isChunked = head.framing === BodyFraming.Chunked;
    this.#connectionNames = head.connectionNames;
    this.#asksForSwitch = head.upgradesToWebSocket;
    this.#hasEnded = isComplete;
    this.#isLost = false;
    const isSmall = this.#isChunked || head.contentLength <= mostKeptBytes;
    this.#isKeeping = !isComplete && isSmall && isIdempotent(head.method);
  }

  /** All of it that has come. */
  sendTo(connection: UpstreamRequest): void {
    connection.begin(this.#request?.method ?? '', this.#asksForSwitch, this.#isChunked);
    connection.addHead(this.#head, this.#headSize);
    for (const bytes of this.#kept) connection.addBody(bytes, 0, bytes.length);
    if (this.#hasEnded) this.#sendEnd(connection);
  }

  addBody(connection: UpstreamRequest, bytes: Buffer, start: number, end: number): void {
    if (this.#isKeeping && this.#keptBytes + end - start <= mostKeptBytes) {
      this.#kept.push(Buffer.from(bytes.subarray(start, end)));
      this.#keptBytes += end - start;
    } else this.forgetBody();
    connection.addBody(bytes, start, end);
  }

  end(connection: UpstreamRequest, trailers: FieldSection | undefined): void {
    this.#hasEnded = true;
    if (!this.#isKeeping) this.forgetBody();
    this.#trailers = trailers === undefined || !this.#isChunked ? undefined : copySection(trailers);
    this.#sendEnd(connection);
  }

  #sendEnd(connection: UpstreamRequest): void {
    if (this.#trailers === undefined) {
      connection.endRequest(noBytes, 0);
      return;
    }
    const changes = this.#request?.route?.filters?.requestHeaders;
    writeTrailers(this.#writer, this.#trailers, changes, this.#connectionNames);
    connection.endRequest(this.#writer.bytes, this.#writer.size);
  }

  /** It is not sent again. */
  forgetBody(): void {
    this.#isLost = true;
    this.#isKeeping = false;
    this.#kept.length = 0;
    this.#keptBytes = 0;
  }

  /** Nobody is sent it any more. */
  release(): void {
    releaseHead(this.#head);
    this.#head = noBytes;
    this.#request = undefined;
    this.#trailers = undefined;
    this.#kept.length = 0;
    this.#keptBytes = 0;
  }
}
