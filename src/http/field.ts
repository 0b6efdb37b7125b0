// The header fields that a proxy must understand, and how to recognise them in bytes.
import { tokenLower } from './characters.ts';

/** Numbers for the hot path; every other field is Other. */
export const Field = {
  Other: 0,
  Host: 1,
  Connection: 2,
  KeepAlive: 3,
  ProxyConnection: 4,
  TransferEncoding: 5,
  ContentLength: 6,
  Te: 7,
  Trailer: 8,
  Upgrade: 9,
  Expect: 10,
  /** Forwarded, X-Forwarded-*, X-Real-IP, X-Client-Verify: what a client may say about where it comes from, and who it is. */
  Forwarding: 11,
  RequestId: 12,
  ProxyAuthentication: 13,
  Http2Settings: 14,
  Date: 15,
  /** Reads as one of the above once a backend turns _ into -: never let through in a request. */
  Disguised: 16,
} as const;

export type FieldId = (typeof Field)[keyof typeof Field];

const idByName = new Map<string, FieldId>([
  ['host', Field.Host],
  ['connection', Field.Connection],
  ['keep-alive', Field.KeepAlive],
  ['proxy-connection', Field.ProxyConnection],
  ['transfer-encoding', Field.TransferEncoding],
  ['content-length', Field.ContentLength],
  ['te', Field.Te],
  ['trailer', Field.Trailer],
  ['upgrade', Field.Upgrade],
  ['expect', Field.Expect],
  ['forwarded', Field.Forwarding],
  ['x-real-ip', Field.Forwarding],
  ['x-client-verify', Field.Forwarding],
  ['x-request-id', Field.RequestId],
  ['proxy-authenticate', Field.ProxyAuthentication],
  ['proxy-authorization', Field.ProxyAuthentication],
  ['proxy-authentication-info', Field.ProxyAuthentication],
  ['http2-settings', Field.Http2Settings],
  ['date', Field.Date],
]);

const forwardedPrefix = 'x-forwarded-';
const DASH = 45;
const UNDERSCORE = 95;

interface Candidate {
  readonly name: string;
  readonly id: FieldId;
}

/** Known names by their length: almost every other field is ruled out by its length and first letter. */
const candidatesByLength: readonly (readonly Candidate[])[] = Array.from({ length: 32 }, (_, length) =>
  [...idByName].flatMap(([name, id]) => (name.length === length ? [{ name, id }] : [])),
);

/** 1 at length * 32 + the low five bits of the first letter, which both cases share, of every known name. */
const mayBeKnown = new Uint8Array(32 * 32);
for (const name of idByName.keys()) mayBeKnown[name.length * 32 + (name.charCodeAt(0) & 31)] = 1;
const letterX = 'x'.charCodeAt(0) & 31;

/** The field whose name is `bytes[start, end)`, any case. */
export function fieldIdOf(bytes: Uint8Array, start: number, end: number, hasUnderscore: boolean): FieldId {
  if (hasUnderscore) return disguisedIdOf(bytes, start, end);
  const length = end - start;
  const letter = bytes[start]! & 31;
  if (letter !== letterX && (length >= 32 || mayBeKnown[length * 32 + letter] === 0)) return Field.Other;
  const candidates = length < 32 ? candidatesByLength[length]! : [];
  for (let each = 0; each < candidates.length; each++)
    if (nameIs(bytes, start, end, candidates[each]!.name)) return candidates[each]!.id;
  if (
    length > forwardedPrefix.length &&
    nameIs(bytes, start, start + forwardedPrefix.length, forwardedPrefix)
  )
    return Field.Forwarding;
  return Field.Other;
}

/** Whether the token `bytes[start, end)` is `name`, which is lower-case. */
export function nameIs(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  if (end - start !== name.length) return false;
  for (let at = 0; at < name.length; at++)
    if (tokenLower[bytes[start + at]!] !== name.charCodeAt(at)) return false;
  return true;
}

/** As nameIs, or the same but for underscores in place of dashes. */
export function nameIsDisguised(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  if (end - start !== name.length) return false;
  for (let at = 0; at < name.length; at++) {
    const byte = bytes[start + at]!;
    const wanted = name.charCodeAt(at);
    if (tokenLower[byte] !== wanted && !(byte === UNDERSCORE && wanted === DASH)) return false;
  }
  return true;
}

/** The rare name with an underscore, for backends that take X_Forwarded_For for X-Forwarded-For (as CGI does). */
function disguisedIdOf(bytes: Uint8Array, start: number, end: number): FieldId {
  const name = Buffer.from(bytes.subarray(start, end)).toString('latin1').toLowerCase().replaceAll('_', '-');
  return idByName.has(name) || name.startsWith(forwardedPrefix) ? Field.Disguised : Field.Other;
}

/**
 * Fields that describe one connection and never cross a proxy (RFC 9110 7.6.1), and those that it writes itself.
 * Indexed by FieldId: 1 is dropped.
 */
export const isHopByHop: Uint8Array = Uint8Array.from({ length: 17 }, (_, id) =>
  (
    [
      Field.Connection,
      Field.KeepAlive,
      Field.ProxyConnection,
      Field.TransferEncoding,
      Field.Te,
      Field.Trailer,
      Field.Upgrade,
      Field.ProxyAuthentication,
      Field.Http2Settings,
    ] as readonly number[]
  ).includes(id)
    ? 1
    : 0,
);
