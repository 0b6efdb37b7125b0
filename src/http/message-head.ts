// Request and response heads as protocol-neutral records, filled by a parser and read by the proxy.
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
  /** Host without port and trailing dot, lower-case; empty for an HTTP/1.0 request without one. */
  hostname = '';
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
    this.authority = '';
    this.minorVersion = 1;
    this.framing = BodyFraming.None;
    this.contentLength = 0;
    this.keepAlive = true;
    this.closes = false;
    this.expectsContinue = false;
    this.expectsOther = false;
    this.connectionNames = noNames;
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
