// The fields that every HPACK context knows from the start (RFC 7541 appendix A).
import { fieldIdOf } from '#http/field.ts';
import type { FieldId } from '#http/field.ts';
import { tokenLower } from '#http/characters.ts';

const fields: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** A field as the line that HTTP/1 would write: `name: value CRLF`. */
export interface StaticField {
  readonly name: string;
  readonly value: string;
  readonly line: Buffer;
  readonly id: FieldId;
}

/** By index; there is none of index 0. */
export const staticFields: readonly (StaticField | undefined)[] = [
  undefined,
  ...fields.map(([name, value]): StaticField => {
    const bytes = Buffer.from(name, 'latin1');
    return {
      name,
      value,
      line: Buffer.from(`${name}: ${value}\r\n`, 'latin1'),
      id: fieldIdOf(bytes, 0, bytes.length, false),
    };
  }),
];

export const staticCount: number = fields.length;

/** The first index of each regular name, by what a look at a few of its bytes tells; names that share it follow each other. */
const candidates: readonly (readonly number[])[] = candidatesByHash();

function candidatesByHash(): readonly (readonly number[])[] {
  const byHash: number[][] = Array.from({ length: 128 }, () => []);
  const known = new Set<string>();
  for (const [at, [name]] of fields.entries()) {
    if (name.startsWith(':') || known.has(name)) continue;
    known.add(name);
    const bytes = Buffer.from(name, 'latin1');
    byHash[hashOf(bytes, 0, bytes.length)]!.push(at + 1);
  }
  return byHash;
}

function hashOf(bytes: Buffer, start: number, end: number): number {
  const first = tokenLower[bytes[start]!]!;
  const last = tokenLower[bytes[end - 1]!]!;
  const middle = tokenLower[bytes[(start + end) >>> 1]!]!;
  return ((end - start) * 5 + first * 3 + middle * 7 + last) & 127;
}

/** The index of a field with the name `bytes[start, end)`, in any case; 0 without one. */
export function staticNameIndex(bytes: Buffer, start: number, end: number): number {
  const found = candidates[hashOf(bytes, start, end)]!;
  for (let each = 0; each < found.length; each++) {
    const { name } = staticFields[found[each]!]!;
    if (name.length !== end - start) continue;
    let at = 0;
    while (at < name.length && tokenLower[bytes[start + at]!] === name.charCodeAt(at)) at++;
    if (at === name.length) return found[each]!;
  }
  return 0;
}
