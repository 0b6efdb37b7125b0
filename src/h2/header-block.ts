// One decoded field section: the regular fields as lines of HTTP/1 in one buffer, the pseudo-fields apart.
import { isFieldValue, tokenLower } from '#http/characters.ts';
import { fieldIdOf, nameIs } from '#http/field.ts';
import type { FieldId } from '#http/field.ts';
import type { FieldSection } from '#http/field-section.ts';
import { methodText } from '#http/method-text.ts';
import { tableBytes } from './dynamic-table.ts';

const COLON = 58;
const SP = 32;
const HTAB = 9;
const CR = 13;
const LF = 10;
const UNDERSCORE = 95;
const SEMICOLON = 59;

/** What a field's name is, beside the ids of regular ones. */
export const Pseudo = {
  Method: 200,
  Scheme: 201,
  Authority: 202,
  Path: 203,
  Status: 204,
  Protocol: 205,
  Unknown: 206,
} as const;
/** A name or value that no field may have: the message is malformed (RFC 9113 8.2.1). */
export const malformedMark = 255;

const schemes: readonly string[] = ['https', 'http'];
const statuses: readonly string[] = ['200', '304', '404'];

/** The name and the value of a field that fits into a table, and more. */
const literalBytes = 2 * tableBytes + 64;
/** What a block that is of no use may make us copy all the same, from one entry of a table to another. */
const mostWastedBytes = 262_144;

const pseudoMarks: ReadonlyMap<string, number> = new Map([
  [':method', Pseudo.Method],
  [':scheme', Pseudo.Scheme],
  [':authority', Pseudo.Authority],
  [':path', Pseudo.Path],
  [':status', Pseudo.Status],
  [':protocol', Pseudo.Protocol],
]);

/** What the name `bytes[start, end)` is: a FieldId, one of Pseudo, or malformedMark. Upper case is malformed. */
export function markOf(bytes: Buffer, start: number, end: number): number {
  if (start === end) return malformedMark;
  if (bytes[start] === COLON) return pseudoMarks.get(bytes.toString('latin1', start, end)) ?? Pseudo.Unknown;
  let hasUnderscore = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (tokenLower[byte] !== byte || byte === 0) return malformedMark;
    if (byte === UNDERSCORE) hasUnderscore = true;
  }
  return fieldIdOf(bytes, start, end, hasUnderscore);
}

/** Whether the value `bytes[start, end)` is one: nothing that ends a line, no space around it. */
export function isValueSound(bytes: Buffer, start: number, end: number): boolean {
  if (start === end) return true;
  const first = bytes[start]!;
  const last = bytes[end - 1]!;
  if (first === SP || first === HTAB || last === SP || last === HTAB) return false;
  for (let at = start; at < end; at++) if (isFieldValue[bytes[at]!] === 0) return false;
  return true;
}

/**
 * Filled by a decoder, read at once: the next block is written over it. The bytes of the fields are those of the block.
 */
export class HeaderBlock {
  bytes: Buffer;
  /** Where the next line begins. */
  size = 0;
  method = '';
  scheme = '';
  authority = '';
  path = '';
  status = '';
  protocol = '';
  /** Bits of the pseudo-fields that have come. */
  #seen = 0;
  /** Against RFC 9113 8.2 and 8.3, whatever the rest is. */
  isMalformed = false;
  /** Larger than the limits of bytes or fields: what has been decoded is of no use. */
  isTooLarge = false;
  /** Crumbs of a cookie count each. */
  fieldCount = 0;
  #wastedBytes = 0;
  readonly #maxBytes: number;
  readonly #maxFields: number;
  #section: FieldSection | undefined = undefined;
  #isCookieLast = false;
  /** Request after request repeats it. */
  readonly #lastAuthority: [string] = [''];

  constructor(maxBytes: number, maxFields: number) {
    this.#maxBytes = maxBytes;
    this.#maxFields = maxFields;
    // Each field has four bytes of its line more than the limit counts; crumbs of a cookie may stand there twice.
    const lineBytes = maxBytes + 4 * maxFields;
    this.bytes = Buffer.allocUnsafeSlow(2 * (lineBytes + literalBytes));
  }

  /** `fields` already there, such as those of the head before trailers, count towards the limit. */
  begin(section: FieldSection, fields: number): void {
    section.clear();
    section.bytes = this.bytes;
    this.#section = section;
    this.size = 0;
    this.method = '';
    this.scheme = '';
    this.authority = '';
    this.path = '';
    this.status = '';
    this.protocol = '';
    this.#seen = 0;
    this.isMalformed = false;
    this.isTooLarge = false;
    this.fieldCount = fields;
    this.#wastedBytes = 0;
    this.#isCookieLast = false;
  }

  hasPseudo(mark: number): boolean {
    return (this.#seen & (1 << (mark - Pseudo.Method))) !== 0;
  }

  /** Whatever else it says, nobody is told: only the table is still kept in step. */
  get isUseless(): boolean {
    return this.isTooLarge || this.isMalformed;
  }

  /** A few bytes of a block can name kilobytes of a table. */
  waste(bytes: number): void {
    if (this.isUseless) this.#wastedBytes += bytes;
  }

  get isBomb(): boolean {
    return this.#wastedBytes > mostWastedBytes;
  }

  get hasAnyPseudo(): boolean {
    return this.#seen !== 0;
  }

  /** How many bytes a line may still take. */
  get room(): number {
    return this.bytes.length - this.size - 4;
  }

  /** For a field that the table of the compression may have to hold: only a block that is too large has less. */
  makeRoom(): void {
    if (this.room < literalBytes) this.overflow();
  }

  /** What has come cannot be kept; the room is free for what only the table needs. */
  overflow(): void {
    this.isTooLarge = true;
    this.size = 0;
  }

  /** The line that begins at `size` is whole: `nameBytes`, a colon and a space, `valueBytes`, CR LF. */
  take(mark: number, nameBytes: number, valueBytes: number): void {
    if (this.isTooLarge) return;
    const nameStart = this.size;
    const nameEnd = nameStart + nameBytes;
    const valueStart = nameEnd + 2;
    const valueEnd = valueStart + valueBytes;
    if (mark === malformedMark) {
      this.isMalformed = true;
      return;
    }
    if (mark >= Pseudo.Method) {
      this.#takePseudo(mark, valueStart, valueEnd);
      return;
    }
    if (++this.fieldCount > this.#maxFields || valueEnd + 2 > this.#maxBytes + 4 * this.fieldCount) {
      this.overflow();
      return;
    }
    const section = this.#section!;
    const isCookie = nameBytes === 6 && nameIs(this.bytes, nameStart, nameEnd, 'cookie');
    if (isCookie && this.#isCookieLast) {
      this.#joinCookie(section, valueStart, valueEnd);
      return;
    }
    this.#isCookieLast = isCookie;
    if (section.add(mark as FieldId, nameStart, nameEnd, valueStart, valueEnd)) this.size = valueEnd + 2;
    else this.overflow();
  }

  /** A field of ours after the others; they have left room for it. */
  append(name: string, value: string, id: FieldId): void {
    const start = this.size;
    this.size += this.bytes.write(`${name}: ${value}\r\n`, start, 'latin1');
    this.#section!.add(id, start, start + name.length, start + name.length + 2, this.size - 2);
  }

  /** Crumbs that follow each other become one line (RFC 9113 8.2.3). */
  #joinCookie(section: FieldSection, valueStart: number, valueEnd: number): void {
    // An empty one would leave a space at the end.
    if (valueStart === valueEnd) return;
    const { bytes } = this;
    const before = section.valueEnd(section.count - 1);
    bytes[before] = SEMICOLON;
    bytes[before + 1] = SP;
    bytes.copyWithin(before + 2, valueStart, valueEnd);
    const end = before + 2 + valueEnd - valueStart;
    bytes[end] = CR;
    bytes[end + 1] = LF;
    section.extendLast(end);
    this.size = end + 2;
  }

  #takePseudo(mark: number, valueStart: number, valueEnd: number): void {
    const bit = 1 << (mark - Pseudo.Method);
    // Twice, or after a regular field (RFC 9113 8.3).
    if ((this.#seen & bit) !== 0 || this.#section!.count > 0) {
      this.isMalformed = true;
      return;
    }
    this.#seen |= bit;
    switch (mark) {
      case Pseudo.Method:
        this.method = methodText(this.bytes, valueStart, valueEnd);
        break;
      case Pseudo.Scheme:
        this.scheme = this.#known(schemes, valueStart, valueEnd);
        break;
      case Pseudo.Authority:
        this.#lastAuthority[0] = this.#known(this.#lastAuthority, valueStart, valueEnd);
        this.authority = this.#lastAuthority[0];
        break;
      case Pseudo.Path:
        this.path = this.#text(valueStart, valueEnd);
        break;
      case Pseudo.Status:
        this.status = this.#known(statuses, valueStart, valueEnd);
        break;
      case Pseudo.Protocol:
        this.protocol = this.#text(valueStart, valueEnd);
        break;
      default:
        this.isMalformed = true;
    }
  }

  #text(start: number, end: number): string {
    return this.bytes.toString('latin1', start, end);
  }

  /** One of the texts that it nearly always is, without making it anew. */
  #known(texts: readonly string[], start: number, end: number): string {
    for (let each = 0; each < texts.length; each++) {
      const text = texts[each]!;
      if (text.length !== end - start) continue;
      let at = 0;
      while (at < text.length && this.bytes[start + at] === text.charCodeAt(at)) at++;
      if (at === text.length) return text;
    }
    return this.#text(start, end);
  }
}
