// Heads that were written for HTTP/1 by us -> field sections of HTTP/2. Every rule about fields is applied where they are
// written; here only what HTTP/1 alone has is left out.
import { Field, fieldIdOf, isHopByHop } from '#http/field.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { HpackEncoder } from './hpack-encoder.ts';

const SP = 32;
const CR = 13;
const LF = 10;
const COLON = 58;
/** `HTTP/1.1 `, before a status. */
const versionBytes = 9;
/** Indexes of the static table. */
const PseudoIndex = { Authority: 1, Method: 2, Path: 4, SchemeHttp: 6, Protocol: 0 } as const;
const schemes = { http: Buffer.from('http', 'latin1'), https: Buffer.from('https', 'latin1') } as const;

/** `bytes` begin with `HTTP/1.1 nnn`. Returns where the body begins. */
export function encodeResponseHead(encoder: HpackEncoder, writer: FrameWriter, bytes: Buffer): number {
  const hundreds = bytes[versionBytes]! - 48;
  const tens = bytes[versionBytes + 1]! - 48;
  const ones = bytes[versionBytes + 2]! - 48;
  encoder.status(writer, hundreds * 100 + tens * 10 + ones);
  return encodeLines(encoder, writer, bytes, nextLine(bytes, versionBytes));
}

/** `bytes` begin with `METHOD target HTTP/1.1` and a line with Host. */
export function encodeRequestHead(
  encoder: HpackEncoder,
  writer: FrameWriter,
  bytes: Buffer,
  scheme: 'http' | 'https',
): void {
  const methodEnd = bytes.indexOf(SP);
  const targetEnd = bytes.indexOf(SP, methodEnd + 1);
  const hostAt = nextLine(bytes, targetEnd);
  const hostStart = bytes.indexOf(COLON, hostAt) + 2;
  const hostEnd = nextLine(bytes, hostStart) - 2;
  encoder.pseudo(writer, PseudoIndex.Method, bytes, 0, methodEnd);
  encoder.pseudo(writer, PseudoIndex.SchemeHttp, schemes[scheme], 0, schemes[scheme].length);
  encoder.pseudo(writer, PseudoIndex.Path, bytes, methodEnd + 1, targetEnd);
  if (hostEnd > hostStart) encoder.pseudo(writer, PseudoIndex.Authority, bytes, hostStart, hostEnd);
  encodeLines(encoder, writer, bytes, hostEnd + 2);
}

/** `lines`: fields up to the empty line. */
export function encodeTrailers(encoder: HpackEncoder, writer: FrameWriter, lines: Buffer): void {
  encodeLines(encoder, writer, lines, 0);
}

/** Up to and with the empty line. Returns the position after it. */
function encodeLines(encoder: HpackEncoder, writer: FrameWriter, bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] !== CR) {
    let nameEnd = at;
    while (bytes[nameEnd] !== COLON) nameEnd++;
    const valueStart = nameEnd + 2;
    const next = nextLine(bytes, valueStart);
    if (!isOfHttp1(bytes, at, nameEnd)) encoder.field(writer, bytes, at, nameEnd, valueStart, next - 2);
    at = next;
  }
  return at + 2;
}

/** Of TE only `trailers` is ever written. */
function isOfHttp1(bytes: Buffer, start: number, end: number): boolean {
  const id = fieldIdOf(bytes, start, end, false);
  return isHopByHop[id] === 1 && id !== Field.Te && id !== Field.Trailer && id !== Field.ProxyAuthentication;
}

/** The position after the next LF; there is one. */
function nextLine(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] !== LF) at++;
  return at + 1;
}
