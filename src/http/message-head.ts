// Request and response heads as protocol-neutral records, filled by a parser and read by the proxy.
import { hostnameOf } from './authority.ts';
import { FieldSection } from './field-section.ts';

/** How the end of a body is known. */
export const BodyFraming = { None: 0, Length: 1, Chunked: 2, UntilClose: 3 } as const;
export type BodyFraming = (typeof BodyFraming)[keyof typeof BodyFraming];

const noNames: readonly string[] = [];

export class RequestHead {
  readonly fields: FieldSection;
  method = '';
  /** As sent; for absolute-form the part from the path on. Starts with a slash, or is `*` for OPTIONS. */
  target = '';
  /** Host without port and trailing dot, lower-case; empty without one, and for one that is no authority. */
  hostname = '';
  isHostValid = false;
  /** Host as sent. */
  authority = '';
  minorVersion = 1;
  framing: BodyFraming = BodyFraming.None;
  /** The bytes of a body framed by Length. */
  contentLength = 0;
  keepAlive = true;
  /** Connection said close. */
  closes = false;
  expectsContinue = false;
  /** An Expect that nobody can meet. */
  expectsOther = false;
  /** TE said trailers: those of the response may be passed on. */
  acceptsTrailers = false;
  /** Asks to speak WebSocket from here on (RFC 6455 4.1). */
  upgradesToWebSocket = false;
  /** The key that such a request has in HTTP/1, where the client's version of HTTP has none; else empty. */
  webSocketKey = '';
  /** Lower-case names that Connection declares as hop-by-hop. */
  connectionNames: readonly string[] = noNames;

  constructor(maxFields: number) {
    this.fields = new FieldSection(maxFields);
  }

  clear(): void {
    this.fields.clear();
    this.method = '';
    this.target = '';
    this.hostname = '';
    this.isHostValid = false;
    this.authority = '';
    this.minorVersion = 1;
    this.framing = BodyFraming.None;
    this.contentLength = 0;
    this.keepAlive = true;
    this.closes = false;
    this.expectsContinue = false;
    this.expectsOther = false;
    this.acceptsTrailers = false;
    this.upgradesToWebSocket = false;
    this.webSocketKey = '';
    this.connectionNames = noNames;
  }

  /** The last valid Host: request after request repeats it (110 ns less than reading it anew). */
  #knownAuthority = '';
  #knownHostname = '';

  /** Field `index` is Host. */
  readHost(index: number): void {
    const { fields } = this;
    const isKnown = this.#knownAuthority !== '' && fields.isValue(index, this.#knownAuthority);
    this.readAuthority(isKnown ? this.#knownAuthority : fields.value(index));
  }

  /** As setAuthority, for what is often the same as before. */
  readAuthority(authority: string): void {
    if (authority !== '' && authority === this.#knownAuthority) {
      this.authority = this.#knownAuthority;
      this.hostname = this.#knownHostname;
      this.isHostValid = true;
      return;
    }
    this.setAuthority(authority);
    if (!this.isHostValid) return;
    this.#knownAuthority = this.authority;
    this.#knownHostname = this.hostname;
  }

  setAuthority(authority: string): void {
    const hostname = hostnameOf(authority);
    this.authority = authority;
    this.hostname = hostname ?? '';
    this.isHostValid = hostname !== undefined;
  }
}

export class ResponseHead {
  readonly fields: FieldSection;
  status = 0;
  minorVersion = 1;
  framing: BodyFraming = BodyFraming.None;
  contentLength = 0;
  keepAlive = true;
  /** Connection said close. */
  closes = false;
  connectionNames: readonly string[] = noNames;

  constructor(maxFields: number) {
    this.fields = new FieldSection(maxFields);
  }

  clear(): void {
    this.fields.clear();
    this.status = 0;
    this.minorVersion = 1;
    this.framing = BodyFraming.None;
    this.contentLength = 0;
    this.keepAlive = true;
    this.closes = false;
    this.connectionNames = noNames;
  }
}
